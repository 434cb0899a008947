"""Percentages as Envoy samples them: `draw % denominator < numerator` (`ProtobufPercentHelper`)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mirror_addon.istio.resources.messages import Percent

HUNDRED = 100
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Fraction:
    """A percentage as written, and the FractionalPercent that Istio makes of it."""

    percent: float
    numerator: int
    denominator: int

    def includes(self, draw: int) -> bool:
        """Whether a draw is selected: strictly less than the numerator."""
        return draw % self.denominator < self.numerator

    def __str__(self) -> str:
        return f"{self.percent:.12g} %"

    def words(self, draw: int, name: str = "draw") -> str:
        """Return the comparison, for a trace; `name` is the number's name there."""
        rest = draw % self.denominator
        relation = "<" if rest < self.numerator else ">="
        return f"{name} % {self.denominator} = {rest} {relation} {self.numerator} ({self})"


def from_integer(percent: int) -> Fraction:
    """Return a whole percentage; Istio gives it the denominator 100."""
    return Fraction(percent, max(percent, 0), HUNDRED)


def from_percent(percent: Percent) -> Fraction:
    """Return a `Percent`. Istio multiplies its value by 10,000 in floating point and truncates: 0.57 % gives 5,699."""
    value = percent.value
    if math.isnan(value) or value <= 0:
        return Fraction(value, 0, MILLION)
    return Fraction(value, int(min(value, 100.0) * 10_000), MILLION)


ALWAYS = Fraction(100, 100, HUNDRED)
NEVER = Fraction(0, 0, HUNDRED)
