"""Which answers belong together: the shadows of one primary, its answer, and its control's. Pure.

A shadow is matched when it has ended, its primary is answered, and, where its group has a control, that has ended too.
What is kept of the answers is given back when the last of a group's matches is settled.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from typing import NamedTuple

from mirror_addon.compare.answer import Answer
from mirror_addon.shadow.subject import Subject
from mirror_addon.worker.budget import Budget


class Party:
    """One shadow of a group."""

    __slots__ = (
        "again",
        "answer",
        "charged",
        "ended_at",
        "group",
        "id",
        "label",
        "matched",
        "notes",
        "number",
        "request",
        "sent",
        "subject",
        "whole",
    )

    def __init__(self, number: int, id: str, label: str, subject: Subject) -> None:
        self.number = number
        self.id = id
        self.label = label
        self.subject = subject
        self.group: Group | None = None
        self.answer: Answer | None = None
        self.ended_at = 0.0
        """In seconds since the epoch."""
        self.request = RequestBody()
        self.notes: tuple[str, ...] = ()
        self.charged = 0
        """Bytes kept of its answer."""
        self.matched = False
        self.sent = True
        """It came here to be sent."""
        self.whole = False
        """All of its request body has come."""
        self.again = False
        """A worker that is no more had it."""


class RequestBody:
    """The first bytes of a shadow's request body, for a record with bodies."""

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
    """A shadow that has ended and all that it is compared with."""

    party: Party
    primary: Answer | None
    control: Answer | None
    notes: tuple[str, ...]
    primary_at: float = 0.0
    """When the primary was answered, in seconds since the epoch."""


class Group:
    """The shadows of one primary that are not settled yet."""

    __slots__ = ("charged", "control", "control_over", "id", "notes", "parties", "primary", "primary_at")

    def __init__(self, id: str) -> None:
        self.id = id
        self.parties: dict[int, Party] = {}
        self.primary: Answer | None = None
        self.primary_at = 0.0
        self.notes: tuple[str, ...] = ()
        self.control: Answer | None = None
        self.control_over = False
        self.charged = 0
        """Bytes kept that all of them need: of the primary's answer and of the control's."""


class Groups:
    """All groups of a worker. `ready` is told of each match."""

    def __init__(self, ready: Callable[[Match], None], budget: Budget, clock: Callable[[], float]) -> None:
        self._ready = ready
        self._clock = clock
        self._budget = budget
        self._groups: dict[str, Group] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def join(self, party: Party) -> None:
        """A shadow is on its way, or its end is about to be told."""
        id = party.subject.group
        group = self._groups.get(id)
        if group is None:
            group = self._groups[id] = Group(id)
        group.parties[party.number] = party
        party.group = group

    def ended(self, party: Party, answer: Answer, charged: int = 0) -> None:
        """A shadow has its answer, of which `charged` bytes are kept, or none."""
        group = party.group
        if group is None or party.answer is not None:
            self._budget.give(charged)
            return
        party.answer = answer
        party.ended_at = self._clock()
        if party.subject.control:
            group.control_over = True
            group.charged += charged
            if answer.status is not None and not answer.error and group.control is None:
                group.control = answer
        else:
            party.charged = charged
        self._match(group)

    def answered(
        self,
        id: str,
        answer: Answer,
        note: str = "",
        charged: int = 0,
        *,
        uncontrolled: bool = False,
        at: float | None = None,
    ) -> None:
        """A primary is answered, or has failed. `uncontrolled`: no control will come any more."""
        group = self._groups.get(id)
        if group is None or group.primary is not None:
            self._budget.give(charged)
            return
        group.primary = answer
        group.primary_at = self._clock() if at is None else at
        group.charged += charged
        if note:
            group.notes += (note,)
        group.control_over |= uncontrolled
        self._match(group)

    def _match(self, group: Group) -> None:
        if group.primary is None:
            return
        for party in list(group.parties.values()):
            if party.answer is None or party.matched or (party.subject.controlled and not group.control_over):
                continue
            party.matched = True
            control = group.control if party.subject.controlled else None
            self._ready(Match(party, group.primary, control, (*group.notes, *party.notes), group.primary_at))

    def settled(self, party: Party) -> None:
        """Nothing more will be done with a matched shadow."""
        group = party.group
        if group is None:
            return
        party.group = None
        self._budget.give(party.charged + party.request.charged)
        del group.parties[party.number]
        if not group.parties:
            self._budget.give(group.charged)
            self._groups.pop(group.id, None)

    def leave(self) -> Iterator[Match]:
        """What is not matched yet, at the end: without a primary, or without its own answer."""
        for group in list(self._groups.values()):
            for party in list(group.parties.values()):
                if not party.matched:
                    party.matched = True
                    yield Match(party, group.primary, None, (*group.notes, *party.notes), group.primary_at)
