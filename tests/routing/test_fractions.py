from __future__ import annotations

import math

import pytest

from mirror_addon.istio.resources.messages import Percent
from mirror_addon.routing.fractions import Fraction
from mirror_addon.routing.fractions import from_integer
from mirror_addon.routing.fractions import from_percent


@pytest.mark.parametrize(
    ("value", "numerator"),
    [(0, 0), (0.00005, 0), (0.0001, 1), (0.57, 5699), (50, 500_000), (100, 1_000_000), (250, 1_000_000), (-1, 0)],
)
def test_percent_goes_through_floating_point_and_is_cut_off(value: float, numerator: int) -> None:
    assert from_percent(Percent(value=value)) == Fraction(value, numerator, 1_000_000)


@pytest.mark.parametrize(("value", "numerator"), [(math.nan, 0), (math.inf, 1_000_000), (-math.inf, 0)])
def test_odd_numbers(value: float, numerator: int) -> None:
    assert from_percent(Percent(value=value)).numerator == numerator


def test_the_threshold_itself_is_not_included() -> None:
    fraction = from_integer(30)
    assert [fraction.includes(draw) for draw in (0, 29, 30, 99, 100, 2**64 - 1)] == [
        True,
        True,
        False,
        False,
        True,
        True,
    ]


def test_words() -> None:
    assert from_integer(30).words(131) == "draw % 100 = 31 >= 30 (30 %)"
    assert from_percent(Percent(value=0.1)).words(7, "roll") == "roll % 1000000 = 7 < 1000 (0.1 %)"
