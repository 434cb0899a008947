"""Numbers and sentences of the report, for the terminal, the page and JUnit alike."""

from __future__ import annotations

import json
from typing import Any

from mirror_addon.compare.findings import Finding
from mirror_addon.compare.report.statistics import CONFIDENCE
from mirror_addon.compare.report.statistics import Interval
from mirror_addon.compare.report.statistics import LatencyComparison
from mirror_addon.compare.report.statistics import QuantileComparison
from mirror_addon.compare.report.summary import Part
from mirror_addon.compare.report.summary import Summary
from mirror_addon.compare.report.summary import TargetSummary
from mirror_addon.compare.rules import RulesError
from mirror_addon.compare.rules_edit import rule_line
from mirror_addon.display.text import printable

LEVEL = f"{CONFIDENCE * 100:.0f} %"

REASONS = {
    "control": "the primary differs from itself as often",
    "ignored": "ignored by rule",
    "accepted": "accepted by rule",
    "time": "a time",
    "id": "an id",
    "etag": "an entity tag",
    "twin": "the mirror's own id",
}
"""Why a differing field is noise. A reason that is not here is shown as it is."""


def value_text(value: Any) -> str:
    """A value of a difference as JSON, so that 1 and "1" look different."""
    return printable(json.dumps(value, ensure_ascii=False))


def count(number: int) -> str:
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """`1 pair`, `1,234 pairs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(value: float) -> str:
    """A share 0..1 in percent. Only 0 and 1 are shown as `0 %` and `100 %`, other values are not rounded to them."""
    if value in (0.0, 1.0):
        return f"{value * 100:.0f} %"
    scaled = value * 100
    if scaled < 0.001:
        return "< 0.001 %"
    digits = 3 if scaled < 0.1 else 2 if scaled < 10 or scaled > 99.9 else 1
    text = f"{scaled:.{digits}f}"
    return "> 99.99 %" if text == "100.00" else f"{text} %"


def share_text(share: Interval | None) -> str:
    """`1.2 % (0.9 % to 1.6 %)`."""
    if share is None:
        return "nothing compared"
    return (
        f"{percent(share.value)} ({percent(share.low or 0.0)} to {percent(1.0 if share.high is None else share.high)})"
    )


def duration(milliseconds: float) -> str:
    """Three digits and a unit: `48.1 ms`, `1.24 s`, `310 µs`."""
    size = abs(milliseconds)
    if size >= 1000:
        return f"{_digits(milliseconds / 1000)} s"
    if size >= 1 or size == 0:
        return f"{_digits(milliseconds)} ms"
    return f"{milliseconds * 1000:.0f} µs"


def signed(milliseconds: float) -> str:
    """A difference of times: `+2.10 ms`, `−310 µs`."""
    return ("+" if milliseconds > 0 else "") + duration(milliseconds).replace("-", "\N{MINUS SIGN}")


def _digits(value: float) -> str:
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 or size == 0 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def times(ratio: float) -> str:
    """A ratio: `1.20x`."""
    return f"{ratio:,.2f}x" if ratio < 100 else f"{ratio:,.0f}x"


def interval_text(interval: Interval) -> str:
    """`+2.1 ms to +3.4 ms`, or that there are too few pairs for an interval."""
    if interval.low is None or interval.high is None:
        return "too few pairs for an interval"
    return f"{signed(interval.low)} to {signed(interval.high)}"


def ratio_text(ratio: Interval | None) -> str:
    """`1.20x (1.10x to 1.31x)`; empty without a ratio."""
    if ratio is None:
        return ""
    text = times(ratio.value)
    if ratio.low is not None and ratio.high is not None:
        text += f" ({times(ratio.low)} to {times(ratio.high)})"
    return text


def target_name(target: TargetSummary) -> str:
    return printable(f"{target.primary or 'the primary'} → {target.target}")


def quantile_name(comparison: QuantileComparison) -> str:
    return f"p{comparison.quantile * 100:g}"


def speed_sentence(latency: LatencyComparison | None) -> str:
    """How the response times compare, in words that the intervals allow."""
    if latency is None:
        return "No pair has both times."
    median, middle, tail = latency.paired_median, latency.at(0.5), latency.at(0.95)
    if latency.obstacle:
        sentence = f"Speed is not compared, because {latency.obstacle}"
    elif median.low is None or median.high is None:
        sentence = f"Too few pairs ({latency.pairs}) to tell which is slower"
    elif latency.pace in ("slower", "faster"):
        sentence = f"The shadow is {latency.pace} by {duration(abs(median.value))} at the median of the pairs"
        sentence += f" ({interval_text(median)})"
    elif latency.pace == "as fast":
        sentence = f"The shadow is as fast at the median of the pairs ({interval_text(median)})"
    else:
        sentence = f"No certain difference in speed: {interval_text(median)} at the median of the pairs, which a busy"
        sentence += " machine may cause"
    for name, each in (("p50", middle), ("p95", tail)):
        sentence += f"; {name} {duration(each.shadow)} against {duration(each.primary)}"
        if each.ratio and not latency.obstacle:
            sentence += f", {ratio_text(each.ratio)}"
    return f"{sentence}."


def difference_sentence(part: Part, where: str = "") -> str:
    """How many pairs differ. `where`: at which endpoints, for a whole target."""
    if not part.compared:
        return "No responses were compared."
    if not part.differing:
        upper = part.share.high if part.share and part.share.high else 0.0
        return (
            f"No difference that counts in {counted(part.compared, 'compared pair')} "
            f"(at {LEVEL} confidence fewer than {percent(upper)} differ)."
        )
    return f"{share_text(part.share)} of {counted(part.compared, 'compared pair')} differ{where}."


def loss_sentence(part: Part) -> str:
    """How many shadows got no complete response; empty if all did."""
    if not part.failed and not part.dropped:
        return ""
    words = ", ".join(f"{count(number)} {printable(word)}" for _, word, number in part.reasons)
    total = counted(part.requests, "shadow")
    return f"{count(part.failed)} of {total} failed, {count(part.dropped)} were dropped: {words}."


def target_sentence(target: TargetSummary) -> str:
    """The sentences on differences, response times and shadows without a response, for a whole target."""
    differing = sum(1 for each in target.endpoints if each.differing)
    sentences = [
        difference_sentence(target.total, f", at {differing} of {counted(len(target.endpoints), 'endpoint')}"),
        speed_sentence(target.total.latency) if target.total.latency else "",
        loss_sentence(target.total),
    ]
    return " ".join(each for each in sentences if each)


def calls_sentence(summary: Summary) -> str:
    """What became of the calls of mirrors to other services; empty where there are none."""
    if not summary.calls:
        return ""
    words = ", ".join(f"{count(number)} {printable(state)}" for state, number in summary.calls)
    return f"The mirror's calls to other services: {words}."


def rule_text(finding: Finding) -> str:
    """The rule of `compare.yaml` that accepts a finding, on one line; empty if none can."""
    try:
        return rule_line(finding.cause)
    except RulesError:
        return ""


def verdict(summary: Summary) -> str:
    """One sentence on the whole record."""
    if not summary.targets:
        return "The record has control pairs only: nothing to judge."
    if len(summary.targets) == 1:
        return _verdict_of(summary.targets[0])
    totals = [each.total for each in summary.targets]
    parts = [f"{sum(each.differing > 0 for each in totals)} of {len(totals)} targets respond differently"]
    if slower := sum(each.latency is not None and each.latency.pace == "slower" for each in totals):
        parts.append(f"{slower} {'is' if slower == 1 else 'are'} slower")
    if unjudged := sum(not each.compared for each in totals):
        parts.append(f"{unjudged} {'was' if unjudged == 1 else 'were'} not compared")
    if lost := sum(each.failed + each.dropped for each in totals):
        parts.append(f"{counted(lost, 'shadow')} got no response")
    return ", ".join(parts) + "."


def _verdict_of(target: TargetSummary) -> str:
    total, name = target.total, printable(target.target)
    if not total.compared or total.share is None:
        sentence = f"{name}: no responses were compared"
    elif total.differing:
        requests = f"{percent(total.share.value)} of {counted(total.compared, 'request')}"
        sentence = f"{name} responds differently to {requests}"
    else:
        sentence = f"{name} responds to {counted(total.compared, 'request')} as the primary does"
    if total.latency is not None and total.latency.pace in ("slower", "faster"):
        ratio = total.latency.at(0.5).ratio
        sentence += f" and is {total.latency.pace}" + (f" (p50 {times(ratio.value)})" if ratio else "")
    lost = total.failed + total.dropped
    return sentence + (f"; {counted(lost, 'shadow')} got no response." if lost else ".")
