"""Whether the shadow is slower or faster than the primary, and whether that can be said at all.

Theory of operation. Of two equal servers, neither must be called faster. Their measured times are never quite equal:
the shadows of one batch arrive together, the servers share processors with the proxy and the worker, and caches are
warm or not. So a difference counts only if it is larger than what these cause (`python -m bench.clocks` measures that):

- at the first quartile, the ratio is outside `1 / MARGIN` to `MARGIN` with its whole confidence interval, and the
  difference is beyond the resolution in the same direction with its whole interval. Waiting for a processor only makes
  times longer, so the quicker responses are those that it has changed least. The resolution is `RESOLUTION`, or more on
  a busy machine: the time for which bytes that have arrived wait until proxy and worker get to read them (the upper
  quartile of the shorter of both waits). The servers have to wait as long;
- the median of the pairs' differences, with its whole interval, is on the same side, and so is the ratio of medians;
- one of the times at that quartile is at least `QUICK`. Of shorter times most is the scheduling of processes.

Speed is not compared at all if the times were not taken in the same way (`clock` in the record), unless control pairs
show that this makes no difference; and if control pairs show that the primary itself, asked again as a shadow is sent,
is slower or faster than before. Control pairs are the same server, so any difference between them is one of the
measurement.

Quantiles above the median have no verdict: of two equal servers on a busy machine, one often has a longer tail.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from mirror_addon.compare.report.statistics import LatencyComparison
from mirror_addon.compare.report.statistics import QuantileComparison
from mirror_addon.compare.report.statistics import compare_latency
from mirror_addon.compare.report.times import TimesTally

Pace = Literal["slower", "faster", "as fast", "unclear"]

MARGIN = 1.1
RESOLUTION = 0.5
"""Milliseconds: the least difference that counts."""
QUICK = 2.0
"""Milliseconds."""
LEAST_CONTROLS = 30
MOST_INEXACT = 0.05
"""Share of the pairs whose times may have been taken in another way."""


def compare_speed(times: TimesTally, controls: TimesTally) -> LatencyComparison | None:
    """Compare the times of pairs. None if there are none. `controls`: those of the same endpoints' control pairs."""
    latency = _compared(times)
    if latency is None:
        return None
    resolution = max(RESOLUTION, times.lateness)
    again = _compared(controls) if controls.pairs >= LEAST_CONTROLS else None
    obstacle = _obstacle(times, again, max(RESOLUTION, controls.lateness))
    pace = "" if obstacle else pace_of(latency, resolution)
    return replace(latency, pace=pace, obstacle=obstacle, resolution=resolution)


def pace_of(latency: LatencyComparison, resolution: float) -> Pace:
    """The shadow's speed against the primary's. `resolution`: milliseconds that may be due to the machine."""
    median, ratio = latency.paired_median, latency.at(0.5).ratio
    if median.low is None or median.high is None:
        return "unclear"
    if is_quick(latency.at(0.5)) or (median.low >= -RESOLUTION and median.high <= RESOLUTION):
        return "as fast"
    if ratio is None or ratio.low is None or ratio.high is None:
        return "unclear"
    side = _side_of(latency.quartile, resolution)
    if side > 0 and median.low > 0 and ratio.value > 1:
        return "slower"
    if side < 0 and median.high < 0 and ratio.value < 1:
        return "faster"
    return "as fast" if ratio.low >= 1 / MARGIN and ratio.high <= MARGIN else "unclear"


def _side_of(quartile: QuantileComparison, resolution: float) -> int:
    """1 if the shadow's quartile is certainly greater than the primary's, -1 if it is smaller, 0 otherwise."""
    ratio, difference = quartile.ratio, quartile.difference
    if is_quick(quartile) or ratio is None:
        return 0
    if (ratio.low or 0.0) > MARGIN and (difference.low or 0.0) > resolution:
        return 1
    return -1 if (ratio.high or MARGIN) < 1 / MARGIN and (difference.high or 0.0) < -resolution else 0


def is_quick(quantile: QuantileComparison) -> bool:
    """Both times are too short to be compared."""
    return max(quantile.primary, quantile.shadow) < QUICK


def is_within_resolution(quantile: QuantileComparison) -> bool:
    """The two times may be equal for all that can be measured."""
    return is_quick(quantile) or abs(quantile.difference.value) <= RESOLUTION


def _compared(times: TimesTally) -> LatencyComparison | None:
    sample = list(zip(times.sample[::2], times.sample[1::2], strict=True))
    return compare_latency(times.primary, times.shadow, times.differences, sample)


def _obstacle(times: TimesTally, again: LatencyComparison | None, resolution: float) -> str:
    """Why the speed cannot be compared; empty if it can."""
    pace = pace_of(again, resolution) if again is not None else "unclear"
    if again is not None and pace in ("slower", "faster"):
        ratio = again.at(0.5).ratio
        assert ratio is not None
        again_takes = f"{ratio.value:.2f} times as long when it is asked again"
        return f"the primary itself takes {again_takes}, in {again.pairs} controls"
    if times.inexact > MOST_INEXACT * times.pairs and pace != "as fast":
        return "the times of primary and shadow were not taken in the same way"
    return ""
