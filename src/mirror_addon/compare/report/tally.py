"""Count the lines of a record in bounded memory.

Theory of operation of the report. It reads a record once, as a stream, in the process of the command line:

    reading -> lines -> tally -> summary -> terminal | page | documents | junit
                                    \\-> conditions (--fail-on)

`reading` yields the lines of files, `lines` parses and validates each one, and `tally` counts: for each primary and
target, for each endpoint, what became of the shadows, how often each field differed and why that may not count, and the
distribution of response times (`histogram`). Nothing is decided here, because whether a difference is noise depends on
all control pairs, and they may come later in the record. `summary` decides, with shares and intervals from
`statistics`. The other modules write the summary down, in the words of `wording`.

A record is written by clients and servers, so every dimension of the tally has a limit: targets, endpoints, fields,
words, examples. What is beyond a limit is counted in one row for the rest, and the report says so.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from functools import lru_cache
from typing import Any

from mirror_addon.compare.causes import Symptom
from mirror_addon.compare.causes import general
from mirror_addon.compare.causes import symptoms
from mirror_addon.compare.endpoint import endpoint_of
from mirror_addon.compare.findings import Example
from mirror_addon.compare.report.lines import ListedDifference
from mirror_addon.compare.report.lines import RecordLine
from mirror_addon.compare.report.times import TimesTally

MAX_TARGETS = 50
MAX_ENDPOINTS = 500
"""Endpoints of all targets together. Further ones are counted in one row, `OTHERS`."""
MAX_FIELDS = 100
"""Differing fields of an endpoint. Further ones are counted as `OTHER_FIELDS`."""
MAX_COMBINATIONS = 300
"""Sets of fields that differed together at an endpoint. A pair with a further set always counts as differing."""
MAX_EXAMPLES = 3
FEW_EXAMPLES_FROM = 20
"""The number of fields of an endpoint after which a field gets one example only."""
LOOK_FOR_EXAMPLES = 1000
"""The number of pairs in which examples with new values are searched."""
MAX_WORDS = 30
"""Reasons, and pairs of statuses. Further ones are counted as `other`."""
MAX_WORD = 60
"""Characters of a reason or a kind of difference."""
MAX_VALUE = 200
"""Characters of a value or a URL in an example."""

OTHERS = "(other endpoints)"
OTHER_FIELDS = ("(other fields)", "")
UNLISTED = ("(differences not listed)", "")
OTHER_TARGETS = "(other targets)"

MAX_URL = 2000
"""Characters of a URL from which its endpoint is derived."""

FieldKey = tuple[str, str]
"""Path and kind of difference. The kind is part of it because a value that varies must not hide a missing one."""
FieldReasons = dict[FieldKey, tuple[str, ListedDifference]]

MAY_COUNT = ("", "id")
"""The reasons with which a difference may count: none, and `id`, which counts if the primary always sends the same."""
OF_FINDINGS = (*MAY_COUNT, "accepted")
"""The reasons of differences that belong to findings."""
MAX_SYMPTOMS = 10
"""Directions of the change of a field that are told apart."""


def endpoint_of_line(line: RecordLine) -> str:
    return shortened(line.endpoint) or _endpoint_of_url(line.method, line.url[:MAX_URL].partition("?")[0])


@lru_cache(maxsize=4096)
def _endpoint_of_url(method: str, url: str) -> str:
    return shortened(endpoint_of(method, url))


@dataclass(frozen=True, slots=True)
class SymptomTally:
    """One direction in which a field changes, such as `number -> string`, and one pair with it.

    `bits`: of this symptom in a set (see `EndpointTally.combinations`), one for each of OF_FINDINGS.
    """

    symptom: Symptom
    bits: dict[str, int]
    example: Example

    @classmethod
    def make(cls, symptom: Symptom, index: int, example: Example) -> SymptomTally:
        first = len(OF_FINDINGS) * index
        return cls(symptom, {reason: 1 << first + number for number, reason in enumerate(OF_FINDINGS)}, example)


@dataclass(slots=True)
class FieldTally:
    """The pairs in which a field differed in one way, counted by the reason why that is noise (empty: it counts)."""

    key: FieldKey
    index: int
    counts: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)
    symptoms: dict[Symptom, SymptomTally] = field(default_factory=dict)

    def bits(self, reason: str) -> int:
        """The bits of all symptoms with this reason."""
        return sum(each.bits[reason] for each in self.symptoms.values())


@dataclass(slots=True)
class ControlTally:
    """How often each field of an endpoint differs between two responses of the same primary, by reason."""

    pairs: int = 0
    fields: Counter[tuple[FieldKey, str]] = field(default_factory=Counter)
    times: TimesTally = field(default_factory=TimesTally)


class EndpointTally:
    """What became of the shadows of one endpoint, sent to one target."""

    __slots__ = (
        "beyond", "combinations", "fates", "fields", "reasons", "statuses", "symptoms", "times", "uncounted",
        "verdicts",
    )  # fmt: skip

    def __init__(self) -> None:
        self.fates: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.statuses: Counter[tuple[int | None, int | None]] = Counter()
        self.fields: dict[FieldKey, FieldTally] = {}
        self.symptoms = 0
        """Symptoms of all fields."""
        self.combinations: dict[int, int] = {}
        """The number of pairs by the set of their symptoms, an integer with a bit for each (`SymptomTally.bits`).

        The sets are kept, and not only a count for each field, because a pair differs if any of its fields counts, and
        which fields count is known only at the end.
        """
        self.uncounted = 0
        """Differing pairs whose set was one too many."""
        self.beyond: dict[int, int] = {}
        """The number of such pairs by each bit of their sets."""
        self.times = TimesTally()

    def add(self, line: RecordLine) -> None:
        fate = line.fate
        self.fates[fate] += 1
        if fate == "failed" or fate == "dropped":
            _count(self.reasons, (fate, (line.shadow.error or "unknown")[:MAX_WORD]), (fate, "other"))
            if fate == "failed":
                _count(self.statuses, (line.primary.status, None), (None, None))
            return
        _count(self.statuses, (line.primary.status, line.shadow.status), (None, None))
        self.times.add(line)
        if fate == "compared":
            self.verdicts[line.verdict or ""] += 1
            if line.differences or line.verdict == "different":
                self._differ(line)

    def _differ(self, line: RecordLine) -> None:
        combination, may_count = 0, False
        fields = self._within(field_reasons(line))
        for key, (reason, difference) in fields.items():
            tally = self._field(key)
            _count(tally.counts, reason[:MAX_WORD], "other")
            wanted = MAX_EXAMPLES if tally.index < FEW_EXAMPLES_FROM else 1
            if len(tally.examples) < wanted and tally.counts.total() <= LOOK_FOR_EXAMPLES:
                _add_example(tally.examples, line, difference)
        of_findings = [each for each in fields.items() if each[1][0] in OF_FINDINGS]
        found = symptoms(difference for _, (_, difference) in of_findings)
        for (key, (reason, difference)), symptom in zip(of_findings, found, strict=True):
            combination |= self._symptom(self.fields[key], symptom, line, difference).bits[reason]
            may_count = may_count or reason in MAY_COUNT
        if not combination:
            return
        if combination in self.combinations or len(self.combinations) < MAX_COMBINATIONS:
            self.combinations[combination] = self.combinations.get(combination, 0) + 1
        else:
            self.uncounted += may_count
            for bit in bits_of(combination):
                self.beyond[bit] = self.beyond.get(bit, 0) + 1

    def _symptom(
        self, field: FieldTally, symptom: Symptom, line: RecordLine, difference: ListedDifference
    ) -> SymptomTally:
        if field.key == OTHER_FIELDS or (symptom not in field.symptoms and len(field.symptoms) >= MAX_SYMPTOMS):
            symptom = Symptom(*field.key)
        found = field.symptoms.get(symptom)
        if found is None:
            example = _example(line, difference)
            found = field.symptoms[symptom] = SymptomTally.make(symptom, self.symptoms, example)
            self.symptoms += 1
        return found

    def _within(self, reasons: FieldReasons) -> FieldReasons:
        """Merge the fields beyond the limit into one, OTHER_FIELDS, which counts if one of them does."""
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
    """The counts of one or several records: by primary and target, then by endpoint."""

    def __init__(self) -> None:
        self.lines = 0
        self.first = ""
        self.last = ""
        self.targets: dict[tuple[str, str], dict[str, EndpointTally]] = {}
        self.controls: dict[tuple[str, str], ControlTally] = {}
        self.calls: Counter[str] = Counter()
        """The calls of mirrors by their state."""
        self._endpoints = 0

    def add_all(self, lines: Iterable[RecordLine]) -> None:
        for line in lines:
            self.add(line)

    def add(self, line: RecordLine) -> None:
        self.lines += 1
        if time := line.time[:40]:
            self.first = min(self.first, time) if self.first else time
            self.last = max(self.last, time)
        for call in line.calls:
            _count(self.calls, call.state[:MAX_WORD], "other")
        endpoint = endpoint_of_line(line)
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
        tally.times.add(line)
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


def bits_of(number: int) -> Iterator[int]:
    """The bits that are set, each as a number."""
    while number:
        bit = number & -number
        yield bit
        number ^= bit


def field_reasons(line: RecordLine) -> FieldReasons:
    """For each field that differs in the pair: the reason why it is noise, or empty if it counts, and an example.

    A field counts if one of its differences does. UNLISTED stands for differences that count but are not in the line:
    if the verdict is `different` and no listed difference counts, or if the list of those that count was cut.
    """
    found: FieldReasons = {}
    counting = False
    for each in line.differences:
        key = general(shortened(each.path)), each.kind[:MAX_WORD]
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
    made = _example(line, difference)
    if not any((each.primary, each.shadow) == (made.primary, made.shadow) for each in examples):
        examples.append(made)


def _example(line: RecordLine, difference: ListedDifference) -> Example:
    primary, shadow = _small(difference.primary), _small(difference.shadow)
    where = shortened(difference.where or difference.path)
    request = shortened(line.id), shortened(line.method), shortened(line.url)
    return Example(*request, where, difference.kind[:MAX_WORD], primary, shadow)


def _small(value: Any) -> Any:
    """The value, or the beginning of its JSON text if that is long."""
    if isinstance(value, str):
        return shortened(value)
    if value is None or isinstance(value, bool | float):
        return value
    text = json.dumps(value, ensure_ascii=False)
    return value if len(text) <= MAX_VALUE else shortened(text)


def shortened(text: str) -> str:
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"
