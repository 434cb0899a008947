"""One shadow's part in the twin of its mirror: what it asked, what it waits for, and what was learned of it."""

from __future__ import annotations

import asyncio

from mirror_addon.compare.answer import Answer
from mirror_addon.shadow.frames import Head
from mirror_addon.shadow.frames import SentRequest
from mirror_addon.shadow.frames import pack
from mirror_addon.shadow.frames import unpack
from mirror_addon.twin.names import Key
from mirror_addon.twin.requests import MAX_BODY
from mirror_addon.twin.requests import Call
from mirror_addon.twin.requests import wants_body
from mirror_addon.twin.twin import PairRequest
from mirror_addon.twin.twin import Reading
from mirror_addon.twin.twin import Twin
from mirror_addon.worker.job import Job
from mirror_addon.worker.pair_book import PendingPair

TWIN, TWIN_MISSING = "twin", "twin_missing"
"""Names of the counters `adapted.<name>`."""


class TargetTwin:
    """The twin of one target, and its shadows that have not ended."""

    def __init__(self) -> None:
        self.twin = Twin()
        self.jobs: dict[int, TwinJob] = {}
        """By number."""
        self.waiting: dict[int, TwinJob] = {}
        """Those that are not sent yet, because of another one."""
        self.blocks: dict[int, set[int]] = {}
        """By number of a shadow: the waiting ones that it blocks."""
        self.sharing: dict[tuple[str, Key], set[int]] = {}
        """By client and key of a value: the shadows that have it."""


class TwinJob:
    """A shadow with its pair. `target`: its packed Target. `arrived`: when, in a count of arrivals and responses."""

    __slots__ = (
        "adapted",
        "answered",
        "arrived",
        "arriving",
        "asked",
        "blocked_by",
        "client",
        "ended",
        "job",
        "keys",
        "pair",
        "primary",
        "released",
        "request",
        "response",
        "target",
        "timer",
        "twin",
    )

    def __init__(self, job: Job, pair: PendingPair, twin: TargetTwin, target: bytes, arrived: int) -> None:
        self.job = job
        self.pair = pair
        self.twin = twin
        self.target = target
        self.client = pair.subject.client
        """Its connection, or the client that is known by a cookie or a token in it."""
        self.arrived = arrived
        self.arriving = False
        """Its body is waited for."""
        self.answered: int | None = None
        """When the primary's response was known, in the count of `arrived`; None: it is not known."""
        self.asked: PairRequest | None = None
        """Once the request was read."""
        self.request: SentRequest | None = None
        """What was sent in place of what was handed over."""
        self.adapted: tuple[str, ...] = ()
        self.keys: set[Key] = set()
        """Of the values in it that are learned, or on their way."""
        self.blocked_by: set[int] = set()
        """The numbers of the shadows that have to end before it is sent."""
        self.timer: asyncio.TimerHandle | None = None
        """While it waits."""
        self.released = False
        """It was passed on to a lane, or given up."""
        self.ended = False
        self.primary: Answer | None = None
        self.response: Answer | None = None

    @property
    def head(self) -> Head:
        """The request's head."""
        return Head(*unpack(self.job.request))

    def is_arriving(self, head: Head) -> bool:
        """Whether its body has to be waited for, because it may have something to translate."""
        job = self.job
        return not job.complete and sum(map(len, job.chunks)) <= MAX_BODY and wants_body(head.headers)

    def call(self, head: Head) -> Call:
        """The request as it is read."""
        job = self.job
        body = None
        if job.complete:
            body = job.body if job.body is not None else b"".join(job.chunks)
            body = body if len(body) <= MAX_BODY else None
        return Call(head.method, head.path, head.headers, body)

    def pair_request(self, call: Call) -> PairRequest:
        """The request as the twin takes it."""
        return PairRequest(self.job.number, self.pair.id, call, self.client)

    def ask(self, head: Head, reading: Reading, *, given_up: bool) -> None:
        """Put the mirror's values into the request. `given_up`: it does not wait any longer for what is on its way."""
        self.asked = pair = self.pair_request(reading.call)
        sent, translations = reading.translated()
        self.pair.translations = translations
        pair.missing = reading.missing or given_up
        pair.translations = translations
        if translations:
            pair.sent = sent
            changed = sent.body is not reading.call.body and sent.body != reading.call.body
            self.job.request = pack(head._replace(path=sent.path, headers=sent.headers))
            self.request = sent.path, sent.headers, sent.body if changed else None
            if changed and sent.body is not None:
                self.job.replace_body(sent.body)
        pair.forget_long_body()
        self.adapted = (TWIN,) * bool(translations) + (TWIN_MISSING,) * pair.missing
