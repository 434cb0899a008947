"""Fields with several values."""

from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.compare.differences import Differences
from mirror_addon.compare.fields import compare_values
from mirror_addon.compare.shapes import Shapes
from mirror_addon.compare.shapes import Sides


@pytest.mark.parametrize(
    ("primary", "shadow", "found"),
    [
        (["a"], ["a"], []),
        (["a"], [], [("missing", "a", None)]),
        ([], ["a", "b"], [("extra", None, ["a", "b"])]),
        (["a", "b"], ["a"], [("length", ["a", "b"], "a")]),
        (["a", "b"], ["b", "a"], [("order", ["a", "b"], ["b", "a"])]),
        (["a", "b"], ["a", "c"], [("value", "b", "c")]),
    ],
)
def test_values(primary: list[str], shadow: list[str], found: list[tuple[str, Any, Any]]) -> None:
    differences = Differences((), None, None)
    compare_values(differences, differences.place("form:x"), primary, shadow)
    listed, _ = differences.listed(9)
    assert [(each.kind, each.primary, each.shadow) for each in listed] == found
    assert {(each.path, each.where, each.noise) for each in listed} <= {("form:x", "form:x", "")}


def test_the_known_shape_is_for_values_only() -> None:

    for shadow, noise in ((["2"], "age"), ([], "")):
        differences = Differences((), Shapes(Sides()), None)
        compare_values(differences, differences.place("header:age"), ["1"], shadow, "age")
        assert [each.noise for each in differences.listed(9)[0]] == [noise]
