"""Evaluate the counts of a record: shares with intervals, which fields are noise, and how response times compare."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from dataclasses import dataclass

from mirror_addon.compare.findings import Example
from mirror_addon.compare.findings import Finding
from mirror_addon.compare.findings import FindingsTally
from mirror_addon.compare.noise import MIN_CONTROLS
from mirror_addon.compare.noise import excess
from mirror_addon.compare.report.findings import count_causes
from mirror_addon.compare.report.histogram import Histogram
from mirror_addon.compare.report.speed import compare_speed
from mirror_addon.compare.report.statistics import Interval
from mirror_addon.compare.report.statistics import LatencyComparison
from mirror_addon.compare.report.statistics import share
from mirror_addon.compare.report.tally import MAY_COUNT
from mirror_addon.compare.report.tally import ControlTally
from mirror_addon.compare.report.tally import EndpointTally
from mirror_addon.compare.report.tally import FieldTally
from mirror_addon.compare.report.tally import RecordTally
from mirror_addon.compare.report.times import TimesTally


@dataclass(frozen=True, slots=True)
class NoiseRule:
    """Diffy's rule (see `compare/noise.py`) with thresholds in percent, for endpoints that have control pairs.

    Differences that are noise by a rule or a known shape are in neither count. So a time that is missing in some
    responses counts, however often the times differ.
    """

    relative: float = 20.0
    absolute: float = 0.03

    def counts(self, pairs: int, raw: int, controls: int, noise: int) -> bool:
        """Whether a difference counts that `raw` of `pairs` and `noise` of `controls` have."""
        relative, absolute = excess(raw, pairs, noise, controls)
        return relative * 100 > self.relative and absolute * 100 > self.absolute


@dataclass(frozen=True, slots=True)
class Field:
    """One way in which responses differ in a field. `reason`: why it is noise, or empty if it counts."""

    path: str
    kind: str
    pairs: int
    share: Interval
    reason: str
    control: float | None
    """The share of the control pairs that differ in the field. None without control pairs."""
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class OverallField:
    """A field over all endpoints and targets. `reason`: why it is noise, or empty where it counts."""

    path: str
    kind: str
    reason: str
    pairs: int
    endpoints: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """The response times of one side as (lower bound, upper bound, pairs), in milliseconds."""

    buckets: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """The requests of one endpoint to a target, or all of them. requests = compared + uncompared + failed + dropped."""

    name: str
    requests: int
    compared: int
    uncompared: int
    failed: int
    dropped: int
    same: int
    noise: int
    differing: int
    share: Interval | None
    """`differing` of `compared`. None if nothing was compared."""
    reasons: tuple[tuple[str, str, int], ...]
    """(`failed` or `dropped`, reason, shadows), the most frequent first."""
    statuses: tuple[tuple[int | None, int | None, int], ...]
    fields: tuple[Field, ...]
    noisy: tuple[Field, ...]
    controls: int
    latency: LatencyComparison | None
    primary_times: Distribution
    shadow_times: Distribution


@dataclass(frozen=True, slots=True)
class TargetSummary:
    """The results of one target for one primary. The first of the `endpoints` is the one that differs most."""

    primary: str
    target: str
    total: Part
    endpoints: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """A whole record. `first`, `last`: the earliest and latest time in it, RFC 3339. `controls`: control pairs."""

    lines: int
    skipped: int
    first: str
    last: str
    controls: int
    rule: NoiseRule
    targets: tuple[TargetSummary, ...]
    findings: tuple[Finding, ...] = ()
    """Over all targets, those with most pairs first."""
    overall: tuple[OverallField, ...] = ()
    """The fields of all endpoints together, those with most pairs first."""
    calls: tuple[tuple[str, int], ...] = ()
    """The calls of mirrors to other services: how many are in which state."""

    @property
    def compared(self) -> int:
        return sum(each.total.compared for each in self.targets)

    @property
    def differing(self) -> int:
        return sum(each.total.differing for each in self.targets)


def summarise(tally: RecordTally, rule: NoiseRule, skipped: int = 0, accepted: Collection[str] = ()) -> Summary:
    """`accepted`: the ids of the findings that rules accept."""
    causes = FindingsTally()
    targets = tuple(
        _target(tally, primary, target, endpoints, rule, causes)
        for (primary, target), endpoints in tally.targets.items()
    )
    controls = sum(control.pairs for control in tally.controls.values())
    compared = sum(each.total.compared for each in targets)
    return Summary(
        tally.lines,
        skipped,
        tally.first,
        tally.last,
        controls,
        rule,
        tuple(sorted(targets, key=lambda each: (each.primary, each.target))),
        tuple(causes.findings(compared, accepted)),
        _overall(part for target in targets for part in target.endpoints),
        tuple(tally.calls.most_common()),
    )


def _overall(parts: Iterable[Part]) -> tuple[OverallField, ...]:
    found: dict[tuple[str, str, str], list[int]] = {}
    for part in parts:
        for field in (*part.fields, *part.noisy):
            counts = found.setdefault((field.path, field.kind, field.reason), [0, 0])
            counts[0] += field.pairs
            counts[1] += 1
    fields = (OverallField(*key, pairs, endpoints) for key, (pairs, endpoints) in found.items())
    return tuple(sorted(fields, key=lambda each: (bool(each.reason), -each.pairs, each.path, each.kind)))


def _target(
    tally: RecordTally,
    primary: str,
    target: str,
    endpoints: dict[str, EndpointTally],
    rule: NoiseRule,
    causes: FindingsTally,
) -> TargetSummary:
    whole = EndpointTally()
    differing = controls = 0
    parts = []
    control_times: list[TimesTally] = []
    for name, endpoint in endpoints.items():
        control = tally.controls.get((primary, name))
        part = _part(name, endpoint, control, rule, causes)
        parts.append(part)
        differing += part.differing
        controls += part.controls
        if control is not None:
            control_times.append(control.times)
        _merge(whole, endpoint)
    parts.sort(key=_by_evidence)
    whole.times = TimesTally.merged(endpoint.times for endpoint in endpoints.values())
    total = _counted("", whole, differing, (), (), controls, TimesTally.merged(control_times))
    return TargetSummary(primary, target, total, tuple(parts))


def _by_evidence(part: Part) -> tuple[float, float, int, str]:
    """Sorts by the share of which the pairs are evidence: the lower end of its interval. One of one pair proves less
    than ninety of a hundred."""
    share = part.share
    return -(share.low or 0.0) if share else 1.0, -share.value if share else 1.0, -part.requests, part.name


def _merge(whole: EndpointTally, part: EndpointTally) -> None:
    for counter in ("fates", "verdicts", "reasons", "statuses"):
        getattr(whole, counter).update(getattr(part, counter))


def _part(
    name: str, tally: EndpointTally, control: ControlTally | None, rule: NoiseRule, causes: FindingsTally
) -> Part:
    compared = tally.fates["compared"]
    fields, noisy, counting = [], [], 0
    for each in tally.fields.values():
        real = {
            reason for reason in MAY_COUNT if each.counts[reason] and _counts(each, reason, compared, control, rule)
        }
        share_of_controls = control.fields[each.key, ""] / control.pairs if control and control.pairs else None
        if real:
            counting |= sum(map(each.bits, real))
            pairs = sum(each.counts[reason] for reason in real)
            fields.append(_field(each, pairs, compared, "", share_of_controls))
        for reason, pairs in each.counts.items():
            if pairs and reason not in real:
                noisy.append(_field(each, pairs, compared, reason or "control", share_of_controls))
    differing = tally.uncounted + sum(
        pairs for combination, pairs in tally.combinations.items() if combination & counting
    )
    count_causes(causes, name, tally, counting)
    for found in (fields, noisy):
        found.sort(key=lambda each: (-each.pairs, each.path, each.kind))
    times = control.times if control is not None else TimesTally()
    return _counted(name, tally, differing, tuple(fields), tuple(noisy), control.pairs if control else 0, times)


def _counts(field: FieldTally, reason: str, compared: int, control: ControlTally | None, rule: NoiseRule) -> bool:
    """Whether differences of this field with this reason (one of MAY_COUNT) are caused by the candidate."""
    if control is None or not control.pairs:
        return not reason
    if reason and control.pairs < MIN_CONTROLS:
        return False
    return rule.counts(compared, field.counts[reason], control.pairs, control.fields[field.key, reason])


def _counted(
    name: str,
    tally: EndpointTally,
    differing: int,
    fields: tuple[Field, ...],
    noisy: tuple[Field, ...],
    controls: int,
    control_times: TimesTally,
) -> Part:
    fates, compared = tally.fates, tally.fates["compared"]
    times = tally.times
    return Part(
        name=name,
        requests=fates.total(),
        compared=compared,
        uncompared=fates["uncompared"],
        failed=fates["failed"],
        dropped=fates["dropped"],
        same=tally.verdicts["same"],
        noise=compared - tally.verdicts["same"] - differing,
        differing=differing,
        share=share(differing, compared),
        reasons=tuple((fate, word, count) for (fate, word), count in tally.reasons.most_common()),
        statuses=tuple(
            (*pair, count) for pair, count in sorted(tally.statuses.items(), key=lambda each: _statuses_key(each[0]))
        ),
        fields=fields,
        noisy=noisy,
        controls=controls,
        latency=compare_speed(times, control_times),
        primary_times=_distribution(times.primary),
        shadow_times=_distribution(times.shadow),
    )


def _statuses_key(pair: tuple[int | None, int | None]) -> tuple[int, int]:
    return pair[0] or 1000, pair[1] or 1000


def _distribution(histogram: Histogram) -> Distribution:
    return Distribution(tuple(histogram.buckets()))


def _field(tally: FieldTally, pairs: int, compared: int, reason: str, control: float | None) -> Field:
    found = share(pairs, compared)
    assert found is not None, "fields differ in compared pairs"
    return Field(*tally.key, pairs, found, reason, control, tuple(tally.examples))
