from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.routing.regexes import Regex
from mirror_addon.routing.regexes import RegexSet
from mirror_addon.routing.regexes import substitution

LETTERS = st.sampled_from(["a", "b", "/", ".", "(?i)a", "[ab]", "\\d", "0", "é"])
PATTERNS = st.recursive(
    LETTERS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from("*+?")).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    ),
    max_leaves=8,
)
TEXTS = st.text("ab/.0A", max_size=6).map(str.encode)


def test_matches_are_full() -> None:
    assert Regex("/a.*").matches(b"/ab")
    assert not Regex("/a").matches(b"/ab")
    assert not Regex("a").matches(b"/a")


def test_a_dot_is_one_byte() -> None:
    assert not Regex(".").matches("é".encode())
    assert Regex("..").matches("é".encode())
    assert Regex("é").matches("é".encode())


@pytest.mark.parametrize("pattern", ["*", "(?=a)b", "(a", r"\1"])
def test_a_bad_pattern_matches_nothing_and_says_why(pattern: str) -> None:
    regex = Regex(pattern)
    assert regex.error
    assert not regex.matches(pattern.encode())
    assert regex.literal_prefix == b""


@pytest.mark.parametrize(
    ("pattern", "prefix"),
    [
        ("/service5/.*x[0-9]+", b"/service5/"),
        ("/foo", b"/foo"),
        ("/a|/b", b"/"),
        ("/ab?", b"/a"),
        (".*foo", b""),
        ("(?i)/abc", b"/"),
        ("^/abc/.*$", b"/abc/"),
        ("/a/|/a0", b"/a"),
        (r"\Q/a.b\E/.*", b"/a.b/"),
    ],
)
def test_literal_prefix(pattern: str, prefix: bytes) -> None:
    assert Regex(pattern).literal_prefix == prefix


@given(pattern=PATTERNS, text=TEXTS)
def test_every_match_begins_with_the_literal_prefix(pattern: str, text: bytes) -> None:
    regex = Regex(pattern)
    if regex.matches(text):
        assert text.startswith(regex.literal_prefix)


@given(patterns=st.lists(PATTERNS | st.just("(bad"), min_size=1, max_size=6), text=TEXTS)
def test_a_set_finds_what_single_patterns_find(patterns: list[str], text: bytes) -> None:
    regexes = [Regex(pattern) for pattern in patterns]
    expected = [index for index, regex in enumerate(regexes) if regex.matches(text)]
    assert RegexSet(regexes).matches(text) == expected


def test_a_big_set_is_made_in_pieces() -> None:
    regexes = [Regex(f"/[^/]+/r{number}") for number in range(5000)]
    found = RegexSet(regexes)
    assert found.matches(b"/x/r4999") == [4999]
    assert found.matches(b"/x/r0") == [0]
    assert found.matches(b"/x/other") == []


# Envoy 1.40 forwarded these paths.
@pytest.mark.parametrize(
    ("pattern", "rewrite", "path", "expected"),
    [
        ("^/service/([^/]+)(/.*)$", r"/customprefix/\2/\1", "/service/update/v1/api", "/customprefix//v1/api/update"),
        ("one", "two", "/xxx/one/yyy/one/zzz", "/xxx/two/yyy/two/zzz"),
        ("(?i)/xxx/", "/yyy/", "/aaa/XxX/bbb", "/aaa/yyy/bbb"),
        ("x*", "-", "/q1/aabqb", "-/-q-1-/-a-a-b-q-b-"),
        ("(/)|(q)", r"[\1\2]", "/q3/aabqb", "[/][q]3[/]aab[q]b"),
        ("/q4", r"/\\\0", "/q4/aabqb", "/\\/q4/aabqb"),
        ("[a-z]*", "_", "/q5/aabqb", "_/_5_/_"),
        ("$", "!", "/q6/aabqb", "/q6/aabqb!"),
        ("^/", "//", "/q7/aabqb", "//q7/aabqb"),
        (r"\b", "|", "/q8/aabqb", "/|q8|/|aabqb|"),
        ("(a)|b", r"<\1>", "/q9/aabqb", "/q9/<a><a><>q<>"),
    ],
)
def test_substitution(pattern: str, rewrite: str, path: str, expected: str) -> None:
    replace = substitution(pattern, rewrite)
    assert replace is not None
    assert replace(path.encode()).decode() == expected


@pytest.mark.parametrize(("pattern", "rewrite"), [("(a", ""), ("a", r"\1"), ("a", r"\x"), ("a", "\\")])
def test_a_bad_substitution_is_none(pattern: str, rewrite: str) -> None:
    assert substitution(pattern, rewrite) is None


def test_a_set_that_needs_too_much_memory_is_matched_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    regexes = [Regex(f"/{number}/.*x") for number in range(100)]
    monkeypatch.setattr("mirror_addon.routing.regexes._MAX_MEMORY", 4096)
    assert RegexSet(regexes).matches(b"/7/zzx") == [7]
    assert RegexSet(regexes).matches(b"/7/zz") == []
