"""Sends the shadows of recorded requests through the shadow engine, and counts the verdicts.

The engine compares a shadow's response with the primary's. In a replay the recorded response is given to it as the
primary's, once all shadows of the turn have ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC
from datetime import datetime
from typing import Any

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.endpoint import endpoint_of_pair
from mirror_addon.compare.graphql import operation_of
from mirror_addon.compare.report.lines import ListedDifference
from mirror_addon.compare.report.lines import RecordLine
from mirror_addon.compare.report.lines import Side
from mirror_addon.compare.report.tally import RecordTally
from mirror_addon.dispatch.dispatcher import Dispatcher
from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.in_flight import Primary
from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.dispatch.settings import ShadowSettings
from mirror_addon.flows.exchange import Exchange
from mirror_addon.flows.primary import primary_end
from mirror_addon.host.upstream_clock import exchange_times
from mirror_addon.mirroring.engine_settings import COMPARED_BODY
from mirror_addon.mirroring.engine_settings import has_twin
from mirror_addon.mirroring.engine_settings import recording_of
from mirror_addon.replay.order import Turn
from mirror_addon.replay.planner import Planned
from mirror_addon.replay.planner import chance
from mirror_addon.replay.player import Room
from mirror_addon.replay.setup import Setup
from mirror_addon.rules.compare_file import comparison_rules
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.subject import Subject
from mirror_addon.shadow.subject import url_of

CUT_AFTER = 0.1
"""Seconds between the first half of a shadow's body and the abort, for `--fault abort=SHARE`."""
_START = 10.0
"""Seconds to wait for the workers to start."""
_SHARE = 4
"""A quarter of `mirror_queue` may be in flight. Pipes and workers count a shadow's bytes too; this way the queue never
overflows, and no shadow is dropped for it."""


class MirroredTurn(Primary):
    """A turn whose shadows are in flight."""

    __slots__ = ("at", "ended", "left", "note", "over", "recorded", "turn")

    def __init__(
        self, turn: Turn, recorded: Answer, note: str, subject: Subject, left: int, ended: Callable[[Shadow], None]
    ) -> None:
        super().__init__(turn.id, subject)
        self.turn = turn
        self.recorded = recorded
        """The primary's response in the capture."""
        self.note = note
        response = turn.recorded.flow.response
        self.at = response.timestamp_end if response is not None else None
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when all shadows have their outcomes."""
        self.left = left
        """Shadows without an outcome."""
        self.ended = ended

    def told(self, shadow: Shadow) -> None:
        self.ended(shadow)


class Shadows:
    """Sends turns and counts their verdicts. Starts the workers; needs the running event loop."""

    def __init__(self, setup: Setup) -> None:
        settings = setup.settings
        self.tally = RecordTally()
        self.differing = self.failed = self.ended = 0
        self.delayed = self.aborted = self.mirrored = self.given_up = 0
        self._choices = setup.choices
        self._waits = setup.pace.rate is None
        self._compares = settings.responses != "discard"
        self._bodies = bool(settings.record) and settings.record_bodies
        self._has_twin = functools.partial(has_twin, settings)
        limits = ShadowSettings(
            concurrency=settings.concurrency,
            workers=settings.workers,
            queue=settings.queue,
            max_body=settings.max_body,
            compare_body=COMPARED_BODY if self._compares or settings.twin else 0,
            prompt=True,
        )
        self.book = InFlight()
        self.book.observers.append(self)
        self.dispatcher = Dispatcher(limits, self.book)
        self.dispatcher.start()
        self.dispatcher.configure(recording_of(settings, comparison_rules(settings), compare=self._compares))
        self.planner = setup.planner(self.book.counters)
        self._room = Room(settings.concurrency * settings.workers, settings.queue // _SHARE)
        self._groups: set[str] = set()
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Start no further turn; send delayed shadows at once."""
        self._stopped.set()

    async def ready(self) -> None:
        """Wait until the workers run, so that their start is not measured as time of the first shadows."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _START
        while loop.time() < deadline and not self._stopped.is_set():
            if all(worker["state"] == "running" for worker in self.dispatcher.status()["workers"]):
                return
            await asyncio.sleep(0.01)

    async def send(self, turn: Turn) -> None:
        """Send a turn's shadows; return when all of them have ended."""
        while turn.id in self._groups:
            turn = replace(turn, id=f"{turn.id}'")
        planned = self.planner.plan(turn)
        if not planned.shadows:
            return
        self._groups.add(turn.id)
        try:
            await self._send(turn, planned)
        finally:
            self._groups.discard(turn.id)

    async def _send(self, turn: Turn, planned: Planned) -> None:
        recorded = turn.recorded
        end = primary_end(
            recorded.flow, planned.exchange, COMPARED_BODY, exchange_times(recorded.flow, recorded.flow.response)
        )
        answer = recorded.answer or end.answer
        count = len(planned.shadows)
        size = count * len(recorded.body) + len(answer.body or b"")
        luck = chance(self._choices.seed, turn, "faults")
        fates = [(self._hold(luck), luck.random() < self._choices.faults.abort) for _ in planned.shadows]
        if self._waits:
            await self._room.take(count, size)
        try:
            if self._stopped.is_set():
                self.given_up += 1
                return
            self.mirrored += 1
            subject = self._subject(turn, planned.exchange)
            mirrored = MirroredTurn(turn, answer, end.note, subject, count, self._told)
            controlled = any(control for _, control in planned.shadows)
            offers = []
            for (request, control), (hold, abort) in zip(planned.shadows, fates, strict=True):
                label = request.target.label
                shadow = self.book.admit(mirrored, label, control=control, controlled=controlled)
                offers.append(self._offer(shadow, request, recorded.body, hold, abort))
            await asyncio.gather(*offers)
            await mirrored.over
        finally:
            if self._waits:
                self._room.give(count, size)

    def _hold(self, luck: random.Random) -> float:
        """Seconds that a shadow is delayed."""
        return sum(seconds for seconds, share in self._choices.faults.delays if luck.random() < share)

    async def _offer(self, shadow: Shadow, request: ShadowRequest, body: bytes, hold: float, abort: bool) -> None:
        if hold:
            self.delayed += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), hold)
        if not abort:
            self.dispatcher.offer(shadow, request, body)
            if shadow.subject is not None and shadow.subject.twin:
                self._give_answer(shadow.primary)  # shadows that have its ids wait for this one
            return
        self.aborted += 1
        upload = self.dispatcher.open(shadow, request)
        upload.write(body[: len(body) // 2])
        await asyncio.sleep(CUT_AFTER)
        upload.abort()

    def _subject(self, turn: Turn, exchange: Exchange) -> Subject:
        recorded, decision = turn.recorded, exchange.decision
        ignored = [
            decision.rule.ignore if decision.rule else "",
            *(f"header:{name}" for name in recorded.redacted_answer),
        ]
        return Subject(
            turn.id,
            time.time(),
            str(decision.rule or ""),
            decision.cluster.label if decision.cluster is not None else None,
            False,
            False,
            recorded.request.method.decode("latin-1"),
            url_of(recorded.request),
            exchange.draw,
            recorded.client,
            ",".join(each for each in ignored if each),
            ((b"Host", recorded.request.authority), *recorded.request.headers) if self._bodies else None,
            twin=self._has_twin(decision),
        )

    def outcome(self, shadow: Shadow) -> None:
        """A ShadowObserver."""
        mirrored = shadow.primary
        assert isinstance(mirrored, MirroredTurn)
        mirrored.left -= 1
        if not mirrored.left:
            # Only now, so that shadows alone wait in the queue for mirrors, and no responses of primaries.
            asyncio.get_running_loop().call_soon(self._answer, mirrored)

    def _give_answer(self, mirrored: Primary) -> None:
        assert isinstance(mirrored, MirroredTurn)
        self.dispatcher.answer(mirrored, mirrored.recorded, mirrored.note, mirrored.at)

    def _answer(self, mirrored: MirroredTurn) -> None:
        self._give_answer(mirrored)
        self.book.answered(mirrored)
        if not mirrored.over.done():
            mirrored.over.set_result(None)

    def _told(self, shadow: Shadow) -> None:
        mirrored, result, subject, comparison = shadow.primary, shadow.result, shadow.subject, shadow.comparison
        assert isinstance(mirrored, MirroredTurn) and result is not None and subject is not None
        answer = mirrored.recorded
        found: Any = comparison.verdict if comparison else "failed" if result.reason else None
        line = RecordLine(
            1,
            shadow.id,
            subject.method,
            subject.url,
            shadow.label,
            _side(answer),
            Side(
                result.status,
                result.response_ms if result.status else None,
                result.reason or None,
                result.connect_ms,
                result.first_byte_ms,
                result.clock,
                result.late_ms,
            ),
            _moment(subject.start),
            subject.route,
            subject.control,
            found,
            tuple(
                ListedDifference(each.path, each.kind, each.primary, each.shadow, each.noise, each.where)
                for each in comparison.differences
            )
            if comparison
            else (),
            comparison.more if comparison else 0,
            (comparison and comparison.endpoint)
            or endpoint_of_pair(subject.method, subject.url, _operation(subject, mirrored), answer.headers),
        )
        self.ended += 1
        self.differing += line.verdict == "different" and not line.control
        self.failed += line.fate in ("failed", "dropped")
        self.tally.add(line)

    async def close(self, drain: float) -> None:
        """Give shadows and comparisons so many seconds to end, then stop the workers."""
        await self.dispatcher.close(drain)


def _side(answer: Answer) -> Side:
    return Side(
        answer.status,
        answer.ms,
        answer.error or None,
        answer.connect_ms,
        answer.first_ms,
        answer.clock,
        answer.late_ms,
    )


def _operation(subject: Subject, mirrored: MirroredTurn) -> str:
    return operation_of(subject.method, subject.url, mirrored.turn.recorded.body).name


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
