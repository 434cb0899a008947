"""The chart of two distributions of response times: geometry only, which the page's template draws as inline SVG.

No library is used: pygal's SVG of two lines has 18 kB, with a script and fixed colours, and matplotlib and numpy are
larger than mirror_addon. This chart has 2 kB, and the style sheet of the page colours it, for dark mode and print too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mirror_addon.compare.report.statistics import LatencyComparison
from mirror_addon.compare.report.summary import Distribution
from mirror_addon.compare.report.summary import Part
from mirror_addon.compare.report.wording import duration
from mirror_addon.compare.report.wording import quantile_name

WIDTH = 640
HEIGHT = 190
LEFT, RIGHT, TOP, BASE = 12, 628, 14, 128
ROWS = {"primary": 142, "shadow": 154}
"""The y coordinates of the marks of the quantiles, under the base line."""
COLUMNS = 56
_STEPS = (1, 2, 5)
_UNITS = (("s", 1000.0), ("ms", 1.0), ("µs", 0.001))


@dataclass(frozen=True, slots=True)
class Mark:
    """A quantile of one side."""

    side: str
    name: str
    x: float
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Paths are SVG path data. `ticks`: (x, label) of the logarithmic time axis. `text`: for screen readers."""

    primary: str
    primary_area: str
    shadow: str
    ticks: tuple[tuple[float, str], ...]
    marks: tuple[Mark, ...]
    text: str


def chart_of(part: Part) -> Chart | None:
    """The chart of a part of the report. None if no pair has both times."""
    latency = part.latency
    if latency is None:
        return None
    low, high = _range(part)

    def x(milliseconds: float) -> float:
        place = (math.log(max(milliseconds, low)) - math.log(low)) / (math.log(high) - math.log(low))
        return round(LEFT + min(1.0, place) * (RIGHT - LEFT), 1)

    columns = {
        "primary": _columns(part.primary_times, low, high),
        "shadow": _columns(part.shadow_times, low, high),
    }
    highest = max(*columns["primary"], *columns["shadow"])
    primary, shadow = (_path(columns[side], highest) for side in ("primary", "shadow"))
    return Chart(
        primary=primary,
        primary_area=f"M{LEFT} {BASE}L{primary[1:]}L{RIGHT} {BASE}Z",
        shadow=shadow,
        ticks=_spread([(x(each), _round(each)) for each in _ticks(low, high)]),
        marks=tuple(
            Mark(side, quantile_name(each), x(getattr(each, side)), y, duration(getattr(each, side)))
            for side, y in ROWS.items()
            for each in latency.quantiles
        ),
        text=_text(latency),
    )


def _range(part: Part) -> tuple[float, float]:
    """The range of the time axis: that of both sides, but at least a factor of three, with a margin."""
    buckets = [*part.primary_times.buckets, *part.shadow_times.buckets]
    low = max(0.001, min(each[0] for each in buckets))
    high = max(low, *(each[1] for each in buckets))
    if high / low < 3:
        centre = math.sqrt(low * high)
        low, high = centre / 1.8, centre * 1.8
    return low / 1.05, high * 1.05


def _columns(distribution: Distribution, low: float, high: float) -> list[float]:
    """Shares of the pairs in columns of equal width on the logarithmic axis.

    A bucket that covers several columns is spread over them.
    """
    width = (math.log(high) - math.log(low)) / COLUMNS
    found = [0.0] * COLUMNS
    total = sum(each[2] for each in distribution.buckets) or 1
    for start, end, pairs in distribution.buckets:
        first = max(0.0, (math.log(max(start, low)) - math.log(low)) / width)
        last = min(float(COLUMNS), max(first, (math.log(max(end, low)) - math.log(low)) / width))
        column = min(int(first), COLUMNS - 1)
        if last <= column + 1 or last == first:
            found[column] += pairs / total
            continue
        while column < min(math.ceil(last), COLUMNS):
            part = min(last, column + 1) - max(first, column)
            found[column] += pairs / total * part / (last - first)
            column += 1
    return found


def _path(columns: list[float], highest: float) -> str:
    width = (RIGHT - LEFT) / COLUMNS
    steps = []
    for index, value in enumerate(columns):
        y = round(BASE - value / highest * (BASE - TOP), 1)
        steps.append(f"{LEFT + index * width:.1f} {y}L{LEFT + (index + 1) * width:.1f} {y}")
    return "M" + "L".join(steps)


def _ticks(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in _STEPS]
    return [each for each in ticks if low <= each <= high]


def _round(milliseconds: float) -> str:
    """The label of a tick, in its largest unit. No tick is below a microsecond, because `_range` is not."""
    unit, size = next(each for each in _UNITS if milliseconds >= each[1] * 0.999)
    return f"{milliseconds / size:g} {unit}"


def _spread(ticks: list[tuple[float, str]]) -> tuple[tuple[float, str], ...]:
    """The ticks whose labels have enough room."""
    kept: list[tuple[float, str]] = []
    for tick in ticks:
        if LEFT + 16 <= tick[0] <= RIGHT - 16 and (not kept or tick[0] - kept[-1][0] >= 54):
            kept.append(tick)
    return tuple(kept)


def _text(latency: LatencyComparison) -> str:
    quantiles = ", ".join(
        f"{quantile_name(each)} {duration(each.primary)} and {duration(each.shadow)}" for each in latency.quantiles
    )
    return f"Distribution of the response times of primary and shadow: {quantiles}."
