"""Secrets in header fields."""

from __future__ import annotations

from mirror_addon.compare.difference import Difference
from mirror_addon.compare.redaction import DEFAULT_REDACTED
from mirror_addon.compare.redaction import REDACTED
from mirror_addon.compare.redaction import redact
from mirror_addon.compare.redaction import redact_difference


def test_names_match_in_any_case_and_order_is_kept() -> None:
    headers = ((b"Accept", b"*/*"), (b"AUTHORIZATION", b"Bearer x"), (b"cookie", b"a=1"), (b"Cookie", b"b=2"))
    assert redact(headers, frozenset({b"authorization", b"cookie"})) == (
        (b"Accept", b"*/*"),
        (b"AUTHORIZATION", REDACTED),
        (b"cookie", REDACTED),
        (b"Cookie", REDACTED),
    )


def test_nothing_to_redact() -> None:
    assert redact(((b"A", b"1"),), frozenset()) == ((b"A", b"1"),)
    assert redact((), frozenset({b"a"})) == ()


def test_the_default_covers_credentials() -> None:
    assert {"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"} <= set(DEFAULT_REDACTED)


def test_differences_of_these_fields_have_no_values() -> None:
    names = frozenset({b"set-cookie"})
    found = redact_difference(Difference("header:Set-Cookie", "extra", None, "s=1", "", "here"), names)
    assert found == Difference("header:Set-Cookie", "extra", None, "[redacted]", "", "here")
    assert redact_difference(Difference("header:set-cookie", "missing", "s=1", None), names).primary == "[redacted]"
    for other in (Difference("header:vary", "value", 1, 2), Difference("form:set-cookie", "value", 1, 2)):
        assert redact_difference(other, names) is other
