"""Of two equal servers neither is called faster, and a slower one is called slower."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from mirror_addon.compare.report.conditions import judge
from mirror_addon.compare.report.conditions import parse_condition
from mirror_addon.compare.report.lines import LineParser
from mirror_addon.compare.report.lines import RecordLine
from mirror_addon.compare.report.speed import compare_speed
from mirror_addon.compare.report.speed import pace_of
from mirror_addon.compare.report.statistics import Interval
from mirror_addon.compare.report.statistics import LatencyComparison
from mirror_addon.compare.report.statistics import QuantileComparison
from mirror_addon.compare.report.times import TimesTally
from mirror_addon.compare.report.wording import speed_sentence

parse = LineParser(RecordLine)
NONE = TimesTally()


def pairs(
    line: Any, primary: float, shadow: float, count: int = 500, spread: float = 0.3, clock: str = "socket", **more: Any
) -> TimesTally:
    """Times that are at least as long as these, and sometimes much longer, as on a busy machine."""
    draw, made = random.Random(7), TimesTally()
    for _ in range(count):
        record = line()
        for side, ms in ((record["primary"], primary), (record["shadow"], shadow)):
            side |= {"ms": ms * (1 + draw.expovariate(1 / spread)), "clock": clock, **more}
        made.add(parse(json.dumps(record).encode()))
    return made


def speed(times: TimesTally, controls: TimesTally = NONE) -> LatencyComparison:
    found = compare_speed(times, controls)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("primary", "shadow", "pace"),
    [
        (50, 50, "as fast"),
        (4, 4, "as fast"),
        (4, 5.2, "slower"),
        (50, 65, "slower"),
        (50, 35, "faster"),
        (0.2, 0.9, "as fast"),
        (1, 40, "slower"),
        (40, 1, "faster"),
        (5, 5.3, "as fast"),
    ],
)
def test_what_is_called_slower(line: Any, primary: float, shadow: float, pace: str) -> None:
    assert speed(pairs(line, primary, shadow)).pace == pace


def test_a_margin_is_left_to_what_is_measured(line: Any) -> None:
    found = speed(pairs(line, 50, 54, spread=0.01))
    assert found.paired_median.low is not None and found.paired_median.low > 0
    assert found.pace == "as fast", "8 % are within the margin"
    assert speed(pairs(line, 50, 56, 60)).pace == "unclear"


def test_on_a_busy_machine_a_difference_has_to_be_larger(line: Any) -> None:
    assert speed(pairs(line, 4, 5.2, late_ms=0.1)).pace == "slower"
    busy = speed(pairs(line, 4, 5.2, late_ms=3.0))
    assert (busy.pace, busy.resolution) == ("unclear", pytest.approx(3.0, rel=0.01))
    assert speed(pairs(line, 50, 65, late_ms=3.0)).pace == "slower"


def test_few_pairs_have_no_verdict(line: Any) -> None:
    assert speed(pairs(line, 4, 40, 3)).pace == "unclear"
    assert compare_speed(NONE, NONE) is None


def test_other_clocks_are_compared_only_if_controls_agree(line: Any) -> None:
    other = pairs(line, 50, 65, clock="program")
    found = speed(other)
    assert (found.pace, found.obstacle) == ("", "the times of primary and shadow were not taken in the same way")
    assert "Speed is not compared, because the times" in speed_sentence(found)
    assert speed(other, pairs(line, 50, 50, 200, clock="program")).pace == "slower"
    assert speed(other, pairs(line, 50, 50, 29, clock="program")).pace == "", "too few controls"


def test_a_primary_that_is_slower_when_it_is_asked_again(line: Any) -> None:
    found = speed(pairs(line, 50, 65), pairs(line, 50, 65, 200))
    assert found.pace == ""
    assert found.obstacle.startswith("the primary itself takes 1.") and found.obstacle.endswith("in 200 controls")


def comparison(ratio: Interval | None, median: Interval, quartile: Interval | None) -> LatencyComparison:
    """A comparison with these intervals, in which nothing is quick."""
    middle = QuantileComparison(0.5, 50.0, 50.0, median, ratio)
    first = QuantileComparison(0.25, 40.0, 40.0, median, quartile)
    return LatencyComparison(100, (middle,), median, first)


WIDE, SLOW, FAST = Interval(1.0, 0.7, 1.4), Interval(1.3, 1.2, 1.4), Interval(0.7, 0.6, 0.8)
LATER, EARLIER = Interval(15.0, 12.0, 18.0), Interval(-15.0, -18.0, -12.0)


@pytest.mark.parametrize(
    ("ratio", "median", "quartile", "pace"),
    [
        (SLOW, LATER, SLOW, "slower"),
        (FAST, EARLIER, FAST, "faster"),
        (WIDE, Interval(0.0, -9.0, 9.0), SLOW, "unclear"),
        (FAST, LATER, SLOW, "unclear"),
        (SLOW, EARLIER, FAST, "unclear"),
        (SLOW, LATER, None, "unclear"),
        (SLOW, LATER, Interval(1.3, None, None), "unclear"),
        (None, LATER, SLOW, "unclear"),
        (Interval(1.3, None, 1.4), LATER, SLOW, "unclear"),
        (Interval(1.3, 1.2, None), LATER, SLOW, "unclear"),
        (SLOW, Interval(15.0, None, 18.0), SLOW, "unclear"),
        (SLOW, Interval(15.0, 12.0, None), SLOW, "unclear"),
        (Interval(1.0, 0.95, 1.05), Interval(0.0, -2.0, 2.0), WIDE, "as fast"),
    ],
)
def test_quartile_and_median_have_to_agree(
    ratio: Interval | None, median: Interval, quartile: Interval | None, pace: str
) -> None:
    assert pace_of(comparison(ratio, median, quartile), 0.5) == pace


def test_words_fit_the_interval(line: Any) -> None:
    unclear = speed_sentence(speed(pairs(line, 50, 56, 60)))
    assert unclear.startswith("No certain difference in speed: ")
    assert "slower" not in unclear and "faster" not in unclear


def test_conditions_use_what_can_be_compared(line: Any, summary_of: Any) -> None:
    def outcomes(condition: str, *records: dict[str, Any]) -> list[tuple[bool | None, str]]:
        return [(each.holds, each.found) for each in judge([parse_condition(condition)], summary_of(*records))]

    quick = line(primary_ms=0.3, ms=0.9)
    assert outcomes("p50 > 1.2x", *[quick] * 40) == [
        (False, "p50 900 µs against 300 µs: as fast, as far as can be measured")
    ]
    assert outcomes("p50 > 1.2x", *[line(ms=20.0)] * 40)[0][0] is True
    other = line(ms=20.0)
    other["primary"]["clock"] = "program"
    for condition in ("p50 > 1.2x", "p95 > +2ms"):
        ((holds, found),) = outcomes(condition, *[other] * 40)
        assert holds is None
        assert found == "the times of primary and shadow were not taken in the same way, so speed is not compared"
    assert outcomes("p95 > 15ms", *[other] * 40)[0][0] is True
    assert outcomes("p50 > 1.2x", *[line(primary_ms=0.0, ms=20.0)] * 40) == [
        (None, "one of the times is 0, so speed is not compared")
    ]
