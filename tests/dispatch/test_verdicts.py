from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.twin_values import Translation
from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.in_flight import Primary
from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.dispatch.in_flight import State
from mirror_addon.dispatch.queue import QueuedBytes
from mirror_addon.dispatch.verdicts import Verdicts
from mirror_addon.shadow.frames import Decoder
from mirror_addon.shadow.frames import EndNote
from mirror_addon.shadow.frames import Kind
from mirror_addon.shadow.frames import PrimaryAnswer
from mirror_addon.shadow.frames import VerdictReport
from mirror_addon.shadow.result import ShadowResult
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
    """A book, its verdicts, and one worker's link."""

    def __init__(self, limit: int = MIB) -> None:
        self.book = InFlight()
        self.queue = QueuedBytes(limit)
        self.verdicts = Verdicts(self.book, self.queue, limit)
        self.verdicts.recording = True
        self.link: Any = Link()
        self.primaries: dict[str, Primary] = {}

    def admit(self, group: str = "a", *, control: bool = False) -> Shadow:
        primary = self.primaries.get(group)
        if primary is None:
            subject = Subject(group, 1.0, "r", "b/v1", False, False, "GET", "http://b/", 2**64 - 1, "")
            primary = self.primaries[group] = Primary(group, subject)
        return self.book.admit(primary, "b/v2", control=control)

    def begin(self, group: str = "a") -> Shadow:
        """A shadow that a worker has."""
        shadow = self.admit(group)
        shadow.link = shadow.primary.link = self.link
        shadow.primary.answer_is_sent = False
        return shadow

    def end(self, shadow: Shadow, outcome: State = State.SENT, **fields: Any) -> None:
        reason = {State.SENT: "", State.FAILED: "connect", State.DROPPED: "worker_lost"}[outcome]
        self.book.end(shadow, outcome, ShadowResult(shadow.id, shadow.label, outcome.value, reason, **fields))

    def refuse(self, group: str = "a", *, control: bool = False, link: bool = True) -> Shadow:
        shadow = self.admit(group, control=control)
        self.book.end(shadow, State.DROPPED, ShadowResult(shadow.id, shadow.label, "dropped", "queue_full"))
        self.verdicts.refused(shadow, self.link if link else None)
        return shadow

    def answer(self, answer: Answer, note: str = "", group: str = "a") -> None:
        self.verdicts.answer(self.primaries[group], answer, note)

    def verdict(self, shadow: Shadow, recorded: bool | None = True) -> None:
        self.verdicts.verdict(shadow, VerdictReport("same", ("note",), 0, recorded, (200, 1.0, 2, "")), b"")

    @property
    def unjudged(self) -> int:
        return len(list(self.book.unjudged()))


def test_a_response_goes_once_to_the_worker_that_has_the_shadows() -> None:
    world = World()
    world.begin()
    for _ in range(2):
        world.answer(Answer(200, ((b"A", b"b"),), b"body", 4, 1.5), "a note")
    ((number, *fields, body),) = world.link.take(Kind.ANSWER)
    assert PrimaryAnswer(*fields) == PrimaryAnswer("a", 200, ((b"A", b"b"),), True, 4, 1.5, "", "a note", False)
    assert body == b"body"
    assert world.queue.value > 4
    world.verdicts.credit(number)
    assert world.queue.value == 0


def test_a_response_that_no_worker_waits_for_is_not_sent() -> None:
    world = World()
    world.verdicts.answer(Primary("unknown"), Answer(200))
    world.end(world.begin())
    world.verdict(next(world.book.unjudged()))
    world.book.answered(world.primaries["a"])
    world.answer(Answer(200))
    assert world.link.frames == []


def test_a_full_queue_leaves_the_body_out_and_says_so() -> None:
    world = World(100 * KIB)
    world.begin()
    world.queue.add("a mirror", 90 * KIB)
    world.answer(Answer(200, (), bytes(50 * KIB), 50 * KIB), "first")
    ((_, *fields, body),) = world.link.take(Kind.ANSWER)
    told = PrimaryAnswer(*fields)
    assert (body, told.kept, told.bytes) == (b"", False, 50 * KIB)
    assert told.note.startswith("first; the primary's body was left out")


def test_a_verdict_ends_the_comparison() -> None:
    world = World()
    shadow = world.begin()
    world.end(shadow)
    difference = b'[{"path":"$.a","kind":"value","primary":1,"shadow":[2],"noise":"","where":"$.a"}]'
    world.verdicts.verdict(shadow, VerdictReport("different", (), 3, True, (200, 1.0, 2, "")), difference)
    assert shadow.state is State.JUDGED
    assert shadow.comparison is not None
    assert shadow.comparison.differences == (Difference("$.a", "value", 1, [2], "", "$.a"),)
    assert (shadow.comparison.verdict, shadow.comparison.more) == ("different", 3)
    assert (world.unjudged, world.book.counters.recorded, world.book.counters.unrecorded) == (0, 1, 0)


def test_lines_are_counted_as_the_worker_says() -> None:
    world = World()
    for recorded in (True, False, None):
        shadow = world.begin()
        world.end(shadow)
        world.verdict(shadow, recorded)
    assert (world.book.counters.recorded, world.book.counters.unrecorded) == (1, 1)


def test_the_worker_is_told_of_a_drop() -> None:
    world = World()
    shadow = world.refuse()
    ((number, *fields, _),) = world.link.take(Kind.NOTE)
    note = EndNote(*fields)
    assert (note.error, note.status, note.again, Subject(*note.subject).group) == ("queue_full", None, False, "a")
    assert (number, world.queue.value) == (shadow.number, 0)
    world.verdict(shadow)
    assert world.book.counters.recorded == 1


def test_drops_that_a_stuck_worker_does_not_take_are_counted() -> None:
    world = World()
    dropped = [world.refuse(str(number)) for number in range(5000)]
    told = world.link.take(Kind.NOTE)
    assert 500 < len(told) < 1000
    judged = [shadow for shadow in dropped if shadow.state is State.JUDGED]
    assert world.book.counters.unrecorded == 5000 - len(told) == len(judged)
    assert judged[0].comparison is None
    for number, *_ in told:
        world.verdicts.credit(number)
    world.refuse("again")
    assert len(world.link.take(Kind.NOTE)) == 1


def test_without_a_worker_nothing_is_recorded_and_that_counts() -> None:
    world = World()
    assert world.refuse(link=False).state is State.JUDGED
    assert (world.book.counters.unrecorded, world.unjudged) == (1, 0)


def test_a_control_that_is_dropped_is_not_waited_for() -> None:
    world = World()
    world.begin()
    world.refuse(control=True)
    world.answer(Answer(200))
    ((_, *fields, _),) = world.link.take(Kind.ANSWER)
    assert PrimaryAnswer(*fields).uncontrolled


def test_what_a_lost_worker_had_goes_to_its_successor() -> None:
    world = World()
    answered, waiting, elsewhere = world.begin("a"), world.begin("b"), world.begin("c")
    elsewhere.link = None
    world.end(answered, status=200, bytes=7, total_ms=3.5)
    world.answer(Answer(200, ((b"A", b"b"),), b"body", 4))
    world.end(waiting, State.DROPPED)
    world.link.frames.clear()
    world.verdicts.lost(world.link)
    notes = {number: EndNote(*fields) for number, *fields, _ in world.link.take(Kind.NOTE)}
    assert set(notes) == {answered.number, waiting.number}
    first = notes[answered.number]
    assert (first.status, first.bytes, first.ms, first.error) == (200, 7, 3.5, "")
    assert (notes[waiting.number].error, notes[waiting.number].status) == ("worker_lost", None)
    assert all(note.again for note in notes.values())
    ((number, *fields, body),) = world.link.take(Kind.ANSWER)
    assert (PrimaryAnswer(*fields).status, PrimaryAnswer(*fields).kept, body) == (200, False, b"")
    for each in (*notes, number):
        world.verdicts.credit(each)
    assert world.queue.value == 0


def test_at_the_end_whatever_is_open_is_judged_and_counted() -> None:
    world = World()
    shadow = world.begin()
    world.end(shadow)
    world.refuse("b")
    world.answer(Answer(200, (), b"body", 4))
    world.verdicts.close(list(world.book.unjudged()))
    assert (world.unjudged, world.book.counters.unrecorded, world.queue.value) == (0, 2, 0)


def test_a_primary_that_got_more_shadows_is_answered_again() -> None:
    world = World()
    world.begin()
    for _ in range(2):
        world.answer(Answer(200))
    world.begin()
    for _ in range(2):
        world.answer(Answer(200))
    assert len(world.link.take(Kind.ANSWER)) == 2


def test_calls_of_the_mirror_are_sent_and_count_until_they_are_taken() -> None:
    world = World()
    shadow = world.begin()
    before = world.queue.as_dict()["value"]
    world.verdicts.calls(shadow, b"[]")
    ((number, group, of, calls),) = world.link.take(Kind.CALLS)
    assert (group, of, calls) == ("a", shadow.number, b"[]")
    assert world.queue.as_dict()["value"] > before
    world.verdicts.credit(number)
    assert world.queue.as_dict()["value"] == before


def test_what_is_sent_again_has_no_line_that_could_be_missed() -> None:
    world = World()
    shadow = world.admit()
    assert shadow.subject is not None
    shadow.subject = shadow.subject._replace(rerun=True)
    world.book.end(shadow, State.DROPPED, ShadowResult(shadow.id, "b/v2", "dropped", "shutdown"))
    world.verdicts.refused(shadow, None)
    assert world.book.counters.unrecorded == 0


def test_a_lost_worker_takes_the_mirror_s_ids_with_it_and_that_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    shadow = world.begin()
    world.verdicts.lost(world.link)
    assert not caplog.messages
    shadow.primary.subject = world.primaries["a"].subject._replace(twin=True)  # type: ignore[union-attr]
    shadow.primary.answer_is_sent = False
    world.answer(Answer(200))
    for _ in range(2):
        world.verdicts.lost(world.link)
    assert [message for message in caplog.messages if "ids are lost" in message] == [caplog.messages[0]]


def test_what_was_translated_comes_with_the_verdict() -> None:
    world = World()
    shadow = world.begin()
    world.end(shadow, adapted=("twin",))
    report = VerdictReport("same", (), 0, True, (200, 1.0, 2, ""), (("path[1]", "7", "8", "a/1"),))
    world.verdicts.verdict(shadow, report, b"")
    assert shadow.comparison is not None
    assert shadow.comparison.twin == (Translation("path[1]", "7", "8", "a/1"),)
    assert world.book.counters.of("b/v2").adapted == {"twin": 1}
