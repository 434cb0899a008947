"""Counts a record in bounded memory: what a million lines come to before anybody judges them."""

from __future__ import annotations

import json
import random
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from functools import lru_cache
from typing import Any

from mirror_addon.compare.endpoint import endpoint_of
from mirror_addon.compare.report.histogram import Histogram
from mirror_addon.compare.report.lines import ListedDifference
from mirror_addon.compare.report.lines import RecordLine

MAX_TARGETS = 50
MAX_ENDPOINTS = 500
"""Endpoints, all targets together; what comes after is counted in one row, `OTHERS`."""
MAX_FIELDS = 100
"""Differing fields that are told apart at an endpoint."""
MAX_COMBINATIONS = 300
"""Sets of fields that differed together at an endpoint; a pair with yet another counts as differing."""
MAX_EXAMPLES = 3
FEW_EXAMPLES_FROM = 20
"""The field of an endpoint from which on one example has to do."""
LOOK_FOR_EXAMPLES = 1000
"""Pairs among which examples are looked for whose values are not those of one before."""
MAX_SAMPLE = 2000
"""Pairs whose two times are kept, to see how far they depend on each other."""
MAX_WORDS = 30
"""Reasons and statuses that are told apart."""
MAX_WORD = 60
"""Characters of such a word."""
MAX_VALUE = 200
"""Characters of a value or an URL in an example."""

OTHERS = "(other endpoints)"
OTHER_FIELDS = ("(other fields)", "")
UNLISTED = ("(differences not listed)", "")
OTHER_TARGETS = "(other targets)"

MAX_URL = 2000
"""Characters of an URL that its endpoint is told from."""

FieldKey = tuple[str, str]
"""Path and kind of difference: that a value varies must not hide that it is missing at times."""
FieldReasons = dict[FieldKey, tuple[str, ListedDifference]]

MAY_COUNT = ("", "id")
"""Reasons whose differences may count: a seeming id that the primary never changes is none."""


@lru_cache(maxsize=4096)
def endpoint_of_url(method: str, url: str) -> str:
    return shortened(endpoint_of(method, url))


@dataclass(frozen=True, slots=True)
class Example:
    """One pair in which a field differed."""

    id: str
    method: str
    url: str
    where: str
    kind: str
    primary: Any
    shadow: Any


@dataclass(slots=True)
class FieldTally:
    """Pairs in which a field differed in one way, split by why it may not count (an empty word: it counts)."""

    key: FieldKey
    index: int
    counts: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)

    def bit(self, reason: str) -> int:
        """For sets of fields: where differing for this reason may yet turn out to count, else 0."""
        return 1 << 2 * self.index + MAY_COUNT.index(reason) if reason in MAY_COUNT else 0


@dataclass(slots=True)
class ControlTally:
    """How often each field of an endpoint differs between two answers of the same primary, by reason."""

    pairs: int = 0
    fields: Counter[tuple[FieldKey, str]] = field(default_factory=Counter)


class EndpointTally:
    """What became of the shadows of one endpoint, sent to one target."""

    __slots__ = (
        "_random", "combinations", "differences", "fates", "fields", "primary", "reasons", "sample", "shadow",
        "statuses", "uncounted", "verdicts",
    )  # fmt: skip

    def __init__(self) -> None:
        self.fates: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.statuses: Counter[tuple[int | None, int | None]] = Counter()
        self.fields: dict[FieldKey, FieldTally] = {}
        self.combinations: dict[int, int] = {}
        """Pairs by the set of their differing fields, a `FieldTally.bit` each."""
        self.uncounted = 0
        """Differing pairs whose combination has no place any more."""
        self.primary = Histogram()
        self.shadow = Histogram()
        self.differences = Histogram()
        self.sample = array("d")
        """Times of some pairs, evenly drawn: primary, shadow, primary, shadow, ..."""
        self._random = random.Random(0)  # the same record gives the same report

    def add(self, line: RecordLine) -> None:
        fate = line.fate
        self.fates[fate] += 1
        if fate == "failed" or fate == "dropped":
            _count(self.reasons, (fate, (line.shadow.error or "unknown")[:MAX_WORD]), (fate, "other"))
            if fate == "failed":
                _count(self.statuses, (line.primary.status, None), (None, None))
            return
        _count(self.statuses, (line.primary.status, line.shadow.status), (None, None))
        before, after = line.primary.ms, line.shadow.ms
        if before is not None and after is not None and line.primary.status is not None:
            self._time(before, after)
        if fate == "compared":
            self.verdicts[line.verdict or ""] += 1
            if line.differences or line.verdict == "different":
                self._differ(line)

    def _time(self, before: float, after: float) -> None:
        self.primary.add(before)
        self.shadow.add(after)
        self.differences.add(after - before)
        if len(self.sample) < 2 * MAX_SAMPLE:
            self.sample.extend((before, after))
        elif (place := int(self._random.random() * self.differences.count)) < MAX_SAMPLE:
            self.sample[2 * place], self.sample[2 * place + 1] = before, after

    def _differ(self, line: RecordLine) -> None:
        combination = 0
        for key, (reason, difference) in self._within(field_reasons(line)).items():
            tally = self._field(key)
            _count(tally.counts, reason[:MAX_WORD], "other")
            wanted = MAX_EXAMPLES if tally.index < FEW_EXAMPLES_FROM else 1
            if len(tally.examples) < wanted and tally.counts.total() <= LOOK_FOR_EXAMPLES:
                _add_example(tally.examples, line, difference)
            combination |= tally.bit(reason)
        if not combination:
            return
        if combination in self.combinations or len(self.combinations) < MAX_COMBINATIONS:
            self.combinations[combination] = self.combinations.get(combination, 0) + 1
        else:
            self.uncounted += 1

    def _within(self, reasons: FieldReasons) -> FieldReasons:
        """With those that have no place of their own as one, which counts where one of them does."""
        room = MAX_FIELDS - len(self.fields)
        if len(reasons) <= room:
            return reasons
        within: FieldReasons = {}
        for key, (reason, difference) in reasons.items():
            if key not in self.fields:
                key, room = key if room > 0 else OTHER_FIELDS, room - 1
            if key not in within or not reason:
                within[key] = reason, difference
        return within

    def _field(self, key: FieldKey) -> FieldTally:
        found = self.fields.get(key)
        if found is None:
            found = self.fields[key] = FieldTally(key, len(self.fields))
        return found


class RecordTally:
    """Everything counted of one or several records, by primary and target, then by endpoint."""

    def __init__(self) -> None:
        self.lines = 0
        self.first = ""
        self.last = ""
        self.targets: dict[tuple[str, str], dict[str, EndpointTally]] = {}
        self.controls: dict[tuple[str, str], ControlTally] = {}
        self._endpoints = 0

    def add_all(self, lines: Iterable[RecordLine]) -> None:
        for line in lines:
            self.add(line)

    def add(self, line: RecordLine) -> None:
        self.lines += 1
        if time := line.time[:40]:
            self.first = min(self.first, time) if self.first else time
            self.last = max(self.last, time)
        endpoint = endpoint_of_url(line.method, line.url[:MAX_URL].partition("?")[0])
        route = shortened(line.route or "")
        if line.control:
            self._control(route, endpoint, line)
        else:
            self._endpoint(route, shortened(line.target), endpoint).add(line)

    def _control(self, route: str, endpoint: str, line: RecordLine) -> None:
        if line.fate != "compared":
            return
        key = route, endpoint
        tally = self.controls.get(key)
        if tally is None:
            if len(self.controls) >= MAX_ENDPOINTS:
                return
            tally = self.controls[key] = ControlTally()
        tally.pairs += 1
        for key, (reason, _) in field_reasons(line).items():
            if reason in MAY_COUNT and ((key, reason) in tally.fields or len(tally.fields) < MAX_FIELDS):
                tally.fields[key, reason] += 1

    def _endpoint(self, route: str, target: str, endpoint: str) -> EndpointTally:
        endpoints = self.targets.get((route, target))
        if endpoints is None:
            if len(self.targets) >= MAX_TARGETS:
                route, target = "", OTHER_TARGETS
            endpoints = self.targets.setdefault((route, target), {})
        tally = endpoints.get(endpoint)
        if tally is None:
            if self._endpoints >= MAX_ENDPOINTS:
                endpoint = OTHERS
            self._endpoints += endpoint not in endpoints
            tally = endpoints.setdefault(endpoint, EndpointTally())
        return tally


def field_reasons(line: RecordLine) -> FieldReasons:
    """For each field that differs in the pair why that may not count, and a difference to show.

    A field counts when one of its differences does. Where the line lists no counting difference though its verdict is
    `different`, or says that there are more than it lists, UNLISTED stands for them.
    """
    found: FieldReasons = {}
    counting = False
    for each in line.differences:
        key = shortened(each.path), each.kind[:MAX_WORD]
        if key not in found or (not each.noise and found[key][0]):
            found[key] = each.noise, each
        counting = counting or not each.noise
    last_counts = bool(line.differences) and not line.differences[-1].noise
    if line.verdict == "different" and (not counting or (line.more and last_counts)):
        found[UNLISTED] = "", ListedDifference(UNLISTED[0])
    return found


def _count(counter: Counter[Any], key: Any, otherwise: Any) -> None:
    counter[key if key in counter or len(counter) < MAX_WORDS else otherwise] += 1


def _add_example(examples: list[Example], line: RecordLine, difference: ListedDifference) -> None:
    primary, shadow = _small(difference.primary), _small(difference.shadow)
    if any((each.primary, each.shadow) == (primary, shadow) for each in examples):
        return
    where = shortened(difference.where or difference.path)
    kind = difference.kind[:MAX_WORD]
    request = shortened(line.id), shortened(line.method), shortened(line.url)
    examples.append(Example(*request, where, kind, primary, shadow))


def _small(value: Any) -> Any:
    """The value, or the beginning of its JSON where that is long."""
    if isinstance(value, str):
        return shortened(value)
    if value is None or isinstance(value, bool | float):
        return value
    text = json.dumps(value, ensure_ascii=False)
    return value if len(text) <= MAX_VALUE else shortened(text)


def shortened(text: str) -> str:
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"
