"""Forms by field."""

from __future__ import annotations

import pytest

from mirror_addon.compare.differences import Differences
from mirror_addon.compare.forms import FormError
from mirror_addon.compare.forms import compare_forms
from mirror_addon.compare.forms import urlencoded


def compared(one: str, other: str) -> list[tuple[str, str]]:
    differences = Differences((), None, None)
    compare_forms(differences, urlencoded(one), urlencoded(other))
    return [(each.path, each.kind) for each in differences.listed(9)[0]]


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("a=1&b=2", "b=2&a=1", []),
        ("a=%20x", "a=+x", []),
        ("a=1", "a=2", [("form:a", "value")]),
        ("a=1&b=", "a=1", [("form:b", "missing")]),
        ("a=1", "a=1&b", [("form:b", "extra")]),
        ("a=1&a=2", "a=2&a=1", [("form:a", "order")]),
        ("a=1&a=2", "a=1", [("form:a", "length")]),
    ],
)
def test_urlencoded(one: str, other: str, found: list[tuple[str, str]]) -> None:
    assert compared(one, other) == found


def test_too_many_fields() -> None:
    with pytest.raises(FormError):
        urlencoded("a=1&" * 20_000)


def test_the_order_of_fields_does_not_matter() -> None:
    differences = Differences((), None, None)
    compare_forms(differences, {"a": ["1"], "b": ["2"]}, {"b": ["2"], "a": ["1"]})
    assert differences.verdict() == "same"
