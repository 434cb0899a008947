"""The language of paths: printed, read, matched."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.paths import PathError
from mirror_addon.compare.paths import Pattern
from mirror_addon.compare.paths import Place
from mirror_addon.compare.paths import exact
from mirror_addon.compare.paths import pattern
from mirror_addon.compare.paths import root_place

keys = st.lists(st.text(max_size=8) | st.integers(0, 9999), max_size=6)


def at(place: Place, path: list[str | int]) -> Place:
    for key in path:
        place = place.below(key) if isinstance(key, str) else place.element(key)
    return place


@pytest.mark.parametrize(
    ("text", "path", "matches"),
    [
        ("$", [], True),
        ("$.a", ["a"], True),
        ("$.a", ["b"], False),
        ("$.a", ["a", "b"], False),
        ("$.foo-bar", ["foo-bar"], True),
        ("$['it''s']", [], None),
        (r"$['it\'s']", ["it's"], True),
        ('$["a.b"]', ["a.b"], True),
        ("$.a[*].b", ["a", 3, "b"], True),
        ("$.a[3].b", ["a", 3, "b"], True),
        ("$.a[3].b", ["a", 2, "b"], False),
        ("$.a.*", ["a", "x"], True),
        ("$.a[*]", ["a", "x"], True),
        ("$..b", ["a", 3, "b"], True),
        ("$..b", ["b"], True),
        ("$..b", ["b", "c"], False),
        ("$..[0]", ["a", 0], True),
        ("$..a..b", ["x", "a", "y", "b"], True),
        ("$.3", ["3"], True),
        ("$a", [], None),
        ("$.", [], None),
        ("$..", [], None),
        ("$[-1]", [], None),
        ("$[0:2]", [], None),
        ("$[?@.a]", [], None),
        ("$" + ".a" * 100, [], None),
    ],
)
def test_json_paths(text: str, path: list[str | int], matches: bool | None) -> None:
    if matches is None:
        with pytest.raises(PathError):
            pattern(text)
    else:
        assert (at(root_place("$", (pattern(text),)), path).rules == (0,)) == matches


@pytest.mark.parametrize(
    ("text", "root", "matches"),
    [
        ("status", "status", True),
        ("body", "status", False),
        ("header:X-A", "header:x-a", True),
        ("Header: x-*", "header:x-a", True),
        ("header:X-[A]", "header:x-a", False),
        ("form:a", "form:a", True),
        ("form:A", "form:a", False),
    ],
)
def test_others(text: str, root: str, matches: bool) -> None:
    assert (root_place(root, (pattern(text),)).rules == (0,)) == matches


def test_xpath() -> None:
    for text in ("/a/b[*]/@id", "//b/@id", "/a//@id", "/*/b/*"):
        place = root_place("", (pattern(text),)).below("a", "/a").below("b", "/b[*]").below("@id", "/@id")
        assert (place.rules, place.text) == ((0,), "/a/b[*]/@id"), text
    for text in ("/a[1]", "/a/", "/a/b[@id]", "//"):
        with pytest.raises(PathError):
            pattern(text)


def test_everything_below_the_body() -> None:
    assert root_place("$", (pattern("body"),)).above == (0,)
    assert root_place("header:a", (pattern("body"),)).above == ()


def test_what_is_below_knows_the_rules_above() -> None:
    assert at(root_place("$", (pattern("$.a"),)), ["a", 1, "c"]).above == (0,)


@given(keys)
def test_what_is_printed_is_read(path: list[str | int]) -> None:
    place = at(root_place("$", ()), path)
    if any(0xD800 <= ord(character) < 0xE000 for key in path if isinstance(key, str) for character in key):
        return
    assert at(root_place("$", (pattern(place.text), pattern(exact("$", path)))), path).rules == (0, 1)


@given(st.text())
def test_any_text(text: str) -> None:
    for each in (text, f"${text}", f"/{text}"):
        with contextlib.suppress(PathError):
            pattern(each)


def test_places_of_calls() -> None:
    assert pattern("call:POST pay.test/charges $.amount") == Pattern("call:POST pay.test/charges $.amount")
    with pytest.raises(PathError):
        pattern("call: ")
