from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.compare.report import chart as module
from mirror_addon.compare.report.chart import Chart
from mirror_addon.compare.report.chart import chart_of
from mirror_addon.compare.report.lines import RecordLine
from mirror_addon.compare.report.lines import Side
from mirror_addon.compare.report.summary import NoiseRule
from mirror_addon.compare.report.summary import Summary
from mirror_addon.compare.report.summary import summarise
from mirror_addon.compare.report.tally import RecordTally

Record = Callable[..., dict[str, Any]]
Summarise = Callable[..., Summary]
TIMES = st.floats(0, 1e9)


def drawn(pairs: list[tuple[float, float]]) -> Chart:
    tally = RecordTally()
    for primary, shadow in pairs:
        tally.add(RecordLine(1, "a", "GET", "http://b/", "t", Side(200, primary), Side(200, shadow), verdict="same"))
    chart = chart_of(summarise(tally, NoiseRule()).targets[0].total)
    assert chart is not None
    return chart


def area(path: str) -> float:
    """Under the curve, in columns of the full height."""
    points = [tuple(map(float, each.split())) for each in re.split("[ML]", path) if each]
    assert len(points) == 2 * module.COLUMNS
    return sum((module.BASE - y) / (module.BASE - module.TOP) for _, y in points[::2])


@settings(max_examples=60)
@given(st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=20))
def test_all_is_within_the_frame(pairs: list[tuple[float, float]]) -> None:
    chart = drawn(pairs)
    numbers = [float(each) for path in (chart.primary, chart.shadow) for each in re.findall(r"-?[\d.]+", path)]
    assert all(module.LEFT <= x <= module.RIGHT for x in numbers[::2])
    assert all(module.TOP <= y <= module.BASE for y in numbers[1::2])
    assert min(numbers[1::2]) == module.TOP
    assert all(module.LEFT <= each.x <= module.RIGHT for each in chart.marks)
    assert all(right[0] - left[0] >= 54 for left, right in zip(chart.ticks, chart.ticks[1:], strict=False))


def test_both_curves_hold_as_many_pairs() -> None:
    chart = drawn([(10.0 + each / 10, 30.0 + each) for each in range(200)])
    assert abs(area(chart.primary) - area(chart.shadow)) < 0.1 * area(chart.primary)
    assert chart.primary_area.endswith(f"L{module.RIGHT} {module.BASE}Z")


def test_quantiles_stand_in_order_on_their_rows() -> None:
    chart = drawn([(10.0 + each, 20.0 + 2 * each) for each in range(100)])
    for side, y in module.ROWS.items():
        marks = [each for each in chart.marks if each.side == side]
        assert [each.name for each in marks] == ["p50", "p95", "p99"]
        assert [each.x for each in marks] == sorted(each.x for each in marks)
        assert {each.y for each in marks} == {y}
    assert "p50" in chart.text and "p99" in chart.text and "ms" in chart.text
    assert [label for _, label in chart.ticks] == ["20 ms", "50 ms", "100 ms", "200 ms"]


def test_nothing_timed_nothing_drawn(line: Record, summary_of: Summarise) -> None:
    assert chart_of(summary_of(line(ms=None)).targets[0].total) is None
