"""The worker's book of pairs: which shadow is compared with which responses. Pure.

All shadows of one primary form a group, under the id of the primary's flow (`Subject.group`). A shadow is compared
with the primary's response and, where the group has a control, with the control's. These arrive in any order: the
primary's from the proxy (ANSWER), the others from the lanes, or from the proxy for a shadow that never reached a lane
(NOTE). A pair passes these states, each once:

| state   | what has happened                                               | what it waits for                     |
|---------|-----------------------------------------------------------------|---------------------------------------|
| OPEN    | `join`: the shadow has arrived in the worker                    | the shadow's end                      |
| ENDED   | `ended`: its response has been read, or there is none           | the primary's end, the control's, and |
|         |                                                                 | the mirror's calls (`called`)         |
| MATCHED | passed to `ready`, which compares it, here or in another thread | the comparison, and the record's line |
| SETTLED | `settled`: recorded and reported; its bytes are released        |                                       |

At the end of the worker `leave` takes pairs from OPEN and ENDED to MATCHED with what is known of them. A group is
forgotten with its last pair. A response for an unknown group, or a second one, is ignored and its bytes released.

Every response body that is kept is charged to the worker's `Budget`: a shadow's to its pair, the primary's and the
control's to their group.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from collections.abc import Iterator
from typing import NamedTuple

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.calls import Call
from mirror_addon.compare.graphql import Operation
from mirror_addon.compare.graphql import operation_of
from mirror_addon.compare.twin_values import Translation
from mirror_addon.compare.twin_values import TwinValues
from mirror_addon.shadow.subject import Subject
from mirror_addon.worker.budget import Budget


class State(enum.Enum):
    """The states of a pair, see above."""

    OPEN = enum.auto()
    ENDED = enum.auto()
    MATCHED = enum.auto()
    SETTLED = enum.auto()


class PendingPair:
    """A shadow that is to be compared or recorded."""

    __slots__ = (
        "_operation",
        "again",
        "calls",
        "charged",
        "ended_at",
        "group",
        "id",
        "label",
        "notes",
        "number",
        "request",
        "response",
        "sent",
        "state",
        "subject",
        "translations",
        "twin",
        "whole",
    )

    def __init__(self, number: int, id: str, label: str, subject: Subject) -> None:
        self.number = number
        """The shadow's number in the frames."""
        self.id = id
        self.label = label
        self.subject = subject
        self.state = State.OPEN
        self.group: Group | None = None
        self.response: Answer | None = None
        self.ended_at = 0.0
        """In seconds since the epoch."""
        self.request = RequestBody()
        self.notes: tuple[str, ...] = ()
        self.charged = 0
        """Bytes of its response that are kept."""
        self.sent = True
        """False: it never came to this worker to be sent."""
        self.whole = False
        """All of its request body has arrived."""
        self.translations: tuple[Translation, ...] | None = None
        """What was translated in its request; None without `mirror_twin`."""
        self.twin: TwinValues | None = None
        """What was learned of it, and the comparison has to know."""
        self.again = False
        """It was sent by a worker that is gone."""
        self.calls: tuple[Call, ...] | None = None
        """Of its mirror to other services; None: not known."""
        self._operation: Operation | None = None

    @property
    def waits_for_calls(self) -> bool:
        """The proxy will say which calls the mirror has made, and has not yet."""
        return self.subject.calls and self.sent and self.calls is None

    @property
    def operation(self) -> Operation:
        """Of GraphQL, as its request body says."""
        if self._operation is None:
            cut = self.request.cut or not self.whole
            body = b"".join(self.request.parts)
            self._operation = operation_of(self.subject.method, self.subject.url, body, cut=cut)
        return self._operation


class RequestBody:
    """The beginning of a shadow's request body, for its operation and for a record with bodies."""

    __slots__ = ("charged", "cut", "parts")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.charged = 0
        self.cut = False

    def add(self, part: bytes, limit: int, budget: Budget) -> None:
        """Keep the next part, up to `limit` bytes in all."""
        if self.cut or not part:
            return
        granted = budget.take(min(len(part), limit - self.charged))
        self.charged += granted
        self.parts.append(part[:granted])
        self.cut = granted < len(part)


class Match(NamedTuple):
    """A pair whose shadow has ended, and all that it is compared with."""

    pair: PendingPair
    primary: Answer | None
    control: Answer | None
    notes: tuple[str, ...]
    primary_at: float = 0.0
    """When the primary's response was complete, in seconds since the epoch."""


class Group:
    """One primary, and those of its pairs that are not settled yet."""

    __slots__ = ("charged", "control", "control_over", "id", "notes", "pairs", "primary", "primary_at")

    def __init__(self, id: str) -> None:
        self.id = id
        self.pairs: dict[int, PendingPair] = {}
        self.primary: Answer | None = None
        self.primary_at = 0.0
        self.notes: tuple[str, ...] = ()
        self.control: Answer | None = None
        """None also if the control failed."""
        self.control_over = False
        """The control has ended, or there will be none."""
        self.charged = 0
        """Bytes that are kept of the primary's response and of the control's."""


class PairBook:
    """All pairs of a worker that are not settled. `ready(match)` is called once for each, when it is matched.

    `clock` returns seconds since the epoch.
    """

    def __init__(self, ready: Callable[[Match], None], budget: Budget, clock: Callable[[], float]) -> None:
        self._ready = ready
        self._clock = clock
        self._budget = budget
        self._groups: dict[str, Group] = {}

    def __len__(self) -> int:
        """The number of groups."""
        return len(self._groups)

    def pairs_of(self, id: str) -> tuple[PendingPair, ...]:
        """The pairs of a group that are not settled, if its primary has not ended."""
        group = self._groups.get(id)
        return () if group is None or group.primary is not None else tuple(group.pairs.values())

    def join(self, pair: PendingPair) -> None:
        """Add an open pair."""
        id = pair.subject.group
        group = self._groups.get(id)
        if group is None:
            group = self._groups[id] = Group(id)
        group.pairs[pair.number] = pair
        pair.group = group

    def ended(self, pair: PendingPair, response: Answer, charged: int = 0) -> None:
        """The shadow has ended, with a response or without; `charged` bytes of it are kept."""
        if pair.state is not State.OPEN:
            self._budget.give(charged)
            return
        group = pair.group
        assert group is not None
        pair.state = State.ENDED
        pair.response = response
        pair.ended_at = self._clock()
        if pair.subject.control:
            group.control_over = True
            group.charged += charged
            if response.status is not None and not response.error and group.control is None:
                group.control = response
        else:
            pair.charged = charged
        self._match(group)

    def primary_ended(
        self,
        id: str,
        response: Answer,
        note: str = "",
        charged: int = 0,
        *,
        uncontrolled: bool = False,
        at: float | None = None,
    ) -> None:
        """The primary of a group has its response, or has failed; `charged` bytes of it are kept.

        `uncontrolled`: the group gets no control, whatever its pairs' subjects say. `at`: when that was, in seconds
        since the epoch; None: now.
        """
        group = self._groups.get(id)
        if group is None or group.primary is not None:
            self._budget.give(charged)
            return
        group.primary = response
        group.primary_at = self._clock() if at is None else at
        group.charged += charged
        if note:
            group.notes += (note,)
        group.control_over |= uncontrolled
        self._match(group)

    def called(self, id: str, number: int, calls: tuple[Call, ...]) -> None:
        """These calls has the mirror made for the shadow with that number in the group `id`."""
        group = self._groups.get(id)
        pair = group.pairs.get(number) if group is not None else None
        if group is not None and pair is not None:
            pair.calls = calls
            self._match(group)

    def _match(self, group: Group) -> None:
        if group.primary is None:
            return
        for pair in list(group.pairs.values()):  # `ready` may settle the pair, which removes it
            waits = pair.waits_for_calls or (pair.subject.controlled and not group.control_over)
            if pair.state is not State.ENDED or waits:
                continue
            self._ready(self._matched(pair, group, group.control if pair.subject.controlled else None))

    def _matched(self, pair: PendingPair, group: Group, control: Answer | None) -> Match:
        pair.state = State.MATCHED
        return Match(pair, group.primary, control, (*group.notes, *pair.notes), group.primary_at)

    def settled(self, pair: PendingPair) -> None:
        """A matched pair is reported and recorded. Nothing that was kept for it is needed any more."""
        group = pair.group
        assert group is not None
        pair.state = State.SETTLED
        pair.group = None
        self._budget.give(pair.charged + pair.request.charged)
        del group.pairs[pair.number]
        if not group.pairs:
            self._budget.give(group.charged)
            del self._groups[group.id]

    def leave(self) -> Iterator[Match]:
        """Match what is open or ended, at the end of the worker: one of the responses is missing."""
        for group in list(self._groups.values()):
            for pair in list(group.pairs.values()):
                if pair.state in (State.OPEN, State.ENDED):
                    yield self._matched(pair, group, None)
