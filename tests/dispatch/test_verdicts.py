from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.difference import Difference
from mirror_addon.dispatch.counters import Counters
from mirror_addon.dispatch.open_pairs import OpenPairs
from mirror_addon.dispatch.queue import QueuedBytes
from mirror_addon.shadow.frames import Decoder
from mirror_addon.shadow.frames import EndNote
from mirror_addon.shadow.frames import Kind
from mirror_addon.shadow.frames import PrimaryAnswer
from mirror_addon.shadow.frames import Report
from mirror_addon.shadow.frames import VerdictReport
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.request import Target
from mirror_addon.shadow.result import ShadowVerdict
from mirror_addon.shadow.subject import Subject

KIB = 1024
MIB = 1024 * KIB


class Link:
    """Takes frames as a WorkerLink does, and shows them."""

    def __init__(self) -> None:
        self._decoder = Decoder()
        self.frames: list[tuple[tuple[Any, ...], bytes]] = []

    def send(self, *buffers: bytes) -> None:
        for buffer in buffers:
            self.frames += self._decoder.feed(buffer)

    def take(self, kind: Kind) -> list[tuple[Any, ...]]:
        taken = [frame for frame in self.frames if frame[0][0] == kind]
        self.frames = [frame for frame in self.frames if frame[0][0] != kind]
        return [(*head[1:], tail) for head, tail in taken]


class World:
    def __init__(self, limit: int = MIB) -> None:
        self.verdicts: list[ShadowVerdict] = []
        self.counters = Counters()
        self.waiting = QueuedBytes(limit)
        self._number = 0
        self.pairs = OpenPairs(self.waiting, limit, self.counters, self.next, self.verdicts.append)
        self.pairs.recording = True
        self.link: Any = Link()

    def next(self) -> int:
        self._number += 1
        return self._number

    def shadow(self, group: str = "a", *, control: bool = False) -> tuple[ShadowRequest, Subject]:
        target = Target("b/v2", "127.0.0.1", 1, False, "b", None)
        subject = Subject(group, 1.0, "r", "b/v1", control, False, "GET", "http://b/", 2**64 - 1, "")
        return ShadowRequest(f"{group}/{self._number}", target, b"GET", b"b", b"/", (), 1.0, (), subject), subject

    def begin(self, group: str = "a") -> int:
        number = self.next()
        self.pairs.begin(number, *self.shadow(group), self.link)
        return number

    def refuse(self, group: str = "a", *, control: bool = False, link: bool = True) -> None:
        self.pairs.refused(*self.shadow(group, control=control), "queue_full", self.link if link else None)

    def verdict(self, number: int, recorded: bool | None = True) -> None:
        self.pairs.verdict(number, VerdictReport("same", ("note",), 0, recorded, (200, 1.0, 2, "")), b"")


def test_an_answer_goes_once_to_the_worker_that_has_the_group() -> None:
    world = World()
    world.begin()
    assert world.pairs.link_of("a") is world.link
    for _ in range(2):
        world.pairs.answer("a", Answer(200, ((b"A", b"b"),), b"body", 4, 1.5), "a note")
    world.pairs.answer("unknown", Answer(200))
    ((number, *fields, body),) = world.link.take(Kind.ANSWER)
    assert PrimaryAnswer(*fields) == PrimaryAnswer("a", 200, ((b"A", b"b"),), True, 4, 1.5, "", "a note", False)
    assert body == b"body"
    assert world.waiting.total.value > 4
    world.pairs.credit(number)
    assert world.waiting.total.value == 0


def test_a_full_queue_takes_the_body_and_says_so() -> None:
    world = World(100 * KIB)
    world.begin()
    world.waiting.add("a mirror", 90 * KIB)
    world.pairs.answer("a", Answer(200, (), bytes(50 * KIB), 50 * KIB), "first")
    ((_, *fields, body),) = world.link.take(Kind.ANSWER)
    told = PrimaryAnswer(*fields)
    assert (body, told.kept, told.bytes) == (b"", False, 50 * KIB)
    assert told.note.startswith("first; the primary's body was left out")


def test_a_verdict_ends_a_pair_and_is_told() -> None:
    world = World()
    number = world.begin()
    difference = b'[{"path":"$.a","kind":"value","primary":1,"shadow":[2],"noise":"","where":"$.a"}]'
    report = VerdictReport("different", (), 3, True, (200, 1.0, 2, ""))
    world.pairs.verdict(number, report, difference)
    world.pairs.verdict(number, report, difference)
    (told,) = world.verdicts
    assert told.comparison is not None
    assert told.comparison.differences == (Difference("$.a", "value", 1, [2], "", "$.a"),)
    assert (told.comparison.verdict, told.comparison.more, told.primary) == ("different", 3, (200, 1.0, 2, ""))
    assert (len(world.pairs), world.pairs.link_of("a")) == (0, None)
    assert world.pairs.status() == {"unpaired": 0, "recorded": 1, "unrecorded": 0}


def test_lines_are_counted_as_the_worker_says() -> None:
    world = World()
    for recorded in (True, False, None):
        world.verdict(world.begin(), recorded)
    assert (world.counters.recorded, world.counters.unrecorded) == (1, 1)


def test_a_drop_is_told_to_the_worker() -> None:
    world = World()
    world.refuse()
    ((number, *fields, _),) = world.link.take(Kind.NOTE)
    note = EndNote(*fields)
    assert (note.error, note.status, note.again, Subject(*note.subject).group) == ("queue_full", None, False, "a")
    assert world.waiting.total.value == 0
    world.verdict(number)
    assert world.counters.recorded == 1


def test_drops_that_a_stuck_worker_does_not_take_are_counted() -> None:
    world = World()
    for number in range(5000):
        world.refuse(str(number))
    told = world.link.take(Kind.NOTE)
    assert 500 < len(told) < 1000
    assert world.counters.unrecorded == 5000 - len(told) == len(world.verdicts)
    assert world.verdicts[0].comparison is None
    for number, *_ in told:
        world.pairs.credit(number)
    world.refuse("again")
    assert len(world.link.take(Kind.NOTE)) == 1


def test_without_a_worker_nothing_is_recorded_and_that_counts() -> None:
    world = World()
    world.refuse(link=False)
    assert (world.counters.unrecorded, len(world.pairs), len(world.verdicts)) == (1, 0, 1)


def test_a_control_that_is_dropped_is_not_waited_for() -> None:
    world = World()
    world.begin()
    world.refuse(control=True)
    world.pairs.answer("a", Answer(200))
    ((_, *fields, _),) = world.link.take(Kind.ANSWER)
    assert PrimaryAnswer(*fields).uncontrolled


def test_what_a_lost_worker_had_goes_to_its_successor() -> None:
    world = World()
    answered, waiting, _elsewhere = world.begin("a"), world.begin("b"), world.begin("c")
    report = Report("", "", 200, "HTTP/1.1", (), False, 7, False, None, None, 3.5)
    world.pairs.ended(answered, "", report)
    world.pairs.answer("a", Answer(200, ((b"A", b"b"),), b"body", 4))
    world.pairs.ended(waiting, "worker_lost")
    world.link.frames.clear()
    world.pairs.lost(world.link)
    notes = {number: EndNote(*fields) for number, *fields, _ in world.link.take(Kind.NOTE)}
    assert (notes[answered].status, notes[answered].bytes, notes[answered].ms, notes[answered].error) == (
        200,
        7,
        3.5,
        "",
    )
    assert notes[waiting].error == "worker_lost"
    assert all(note.again for note in notes.values())
    ((number, *fields, body),) = world.link.take(Kind.ANSWER)
    assert (PrimaryAnswer(*fields).status, PrimaryAnswer(*fields).kept, body) == (200, False, b"")
    for each in (*notes, number):
        world.pairs.credit(each)
    assert world.waiting.total.value == 0


def test_at_the_end_whatever_is_open_is_told_and_counted() -> None:
    world = World()
    world.begin()
    world.refuse("b")
    world.pairs.answer("a", Answer(200, (), b"body", 4))
    world.pairs.close()
    assert (len(world.pairs), len(world.verdicts), world.counters.unrecorded) == (0, 2, 2)
    assert world.waiting.total.value == 0


def test_an_observer_that_raises_is_said_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: ShadowVerdict) -> None:
        raise RuntimeError("broken")

    world = World()
    world.pairs = OpenPairs(world.waiting, MIB, world.counters, world.next, broken)
    world.verdict(world.begin())
    assert world.counters.recorded == 1
    assert "broken" in caplog.text


def test_a_group_that_got_more_shadows_is_answered_again() -> None:
    world = World()
    world.begin()
    for _ in range(2):
        world.pairs.answer("a", Answer(200))
    world.begin()
    for _ in range(2):
        world.pairs.answer("a", Answer(200))
    assert len(world.link.take(Kind.ANSWER)) == 2
