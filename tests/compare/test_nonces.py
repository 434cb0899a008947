"""Nonces of content security policies."""

from __future__ import annotations

import pytest

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.comparison import compare

ONE, OTHER, THIRD = "r4nd0mAAAA1111==", "q9zz8m+BBB/222==", "0therCCCC3333="
CSP = "content-security-policy"


def compared(one: str, other: str, policy: str = "", other_policy: str = "", name: str = CSP) -> Comparison:
    def answer(body: str, policy: str) -> Answer:
        fields = [(b"content-type", b"text/html")]
        fields += [(name.encode(), policy.encode())] if policy else []
        return Answer(200, tuple(fields), body.encode(), len(body))

    return compare(answer(one, policy), answer(other, other_policy))


POLICY = "script-src 'nonce-{}' 'strict-dynamic'; style-src 'self' 'nonce-{}'"
META = '<meta http-equiv="Content-Security-Policy" content="script-src \'nonce-{}\'">'
TAGS = '<script nonce="{}">a()</script><style nonce={}>b</style>'
ESCAPED = '<script nonce="{}">a()</script>'


@pytest.mark.parametrize("name", [CSP, CSP + "-report-only"])
def test_header(name: str) -> None:
    found = compared("x", "x", POLICY.format(ONE, ONE), POLICY.format(OTHER, OTHER), name)
    assert (found.verdict, [each.noise for each in found.differences]) == ("noise", ["nonce"])


@pytest.mark.parametrize("body", ["x", '<script nonce="{}">say("aa1a")</script>', "<meta content=\"x 'nonce-{}'\">"])
@pytest.mark.parametrize("policy", ["script-src 'nonce-{}'", "script-src 'NONCE-{}'; style-src 'nonce-{}'"])
def test_a_short_nonce_is_replaced_where_it_is_one(body: str, policy: str) -> None:
    (one, one_policy), (other, other_policy) = (
        (body.replace("{}", nonce), policy.replace("{}", nonce)) for nonce in ("b2", "a1")
    )
    found = compared(one, other, one_policy, other_policy)
    assert (found.verdict, {each.noise for each in found.differences}) == ("noise", {"nonce"})


@pytest.mark.parametrize("template", [META, TAGS, META + TAGS, META.replace("'", "&#39;")])
def test_tags(template: str) -> None:
    found = compared(template.replace("{}", ONE), template.replace("{}", OTHER))
    assert (found.verdict, {each.noise for each in found.differences}) == ("noise", {"nonce"})


def test_escaped_in_tags() -> None:
    escaped = OTHER.replace("+", "&#43;")
    found = compared(ESCAPED.format(ONE), ESCAPED.format(escaped), POLICY.format(ONE, ONE), POLICY.format(OTHER, OTHER))
    assert (found.verdict, {each.noise for each in found.differences}) == ("noise", {"nonce"})


@pytest.mark.parametrize(
    ("one", "other", "policy", "other_policy"),
    [
        ("x", "x", POLICY.format(ONE, ONE), POLICY.format(OTHER, THIRD)),
        ("x", "x", POLICY.format(ONE, ONE), POLICY.format(OTHER, OTHER).replace("'self'", "*")),
        ("x", "x", POLICY.format(ONE, ONE), "script-src 'unsafe-inline'"),
        ("x", "x", POLICY.format(ONE, ONE), ""),
        ("x", "x", "script-src 'self'", POLICY.format(OTHER, OTHER)),
        (TAGS.format(ONE, ONE), TAGS.format(THIRD, OTHER), POLICY.format(ONE, ONE), POLICY.format(OTHER, OTHER)),
        (TAGS.format(ONE, ONE), "<script>a()</script>", POLICY.format(ONE, ONE), POLICY.format(OTHER, OTHER)),
        (TAGS.format(ONE, ONE), TAGS.format(OTHER, THIRD), "", ""),
        ("nonce aaa", "nonce bbb", "script-src 'nonce-aaa'", "script-src 'nonce-bbb'"),
    ],
)
def test_what_counts(one: str, other: str, policy: str, other_policy: str) -> None:
    assert compared(one, other, policy, other_policy).verdict == "different"


def test_a_nonce_that_both_have_is_not_paired() -> None:
    found = compared("x", "x", POLICY.format(ONE, OTHER), POLICY.format(OTHER, ONE))
    assert found.verdict == "different"
