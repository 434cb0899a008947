"""`mirror-addon processor`: the same verdicts behind Envoy.

Theory of operation. Envoy carries the primary, and tells a processor of each exchange over gRPC (`ext_proc` in
observability mode): the request as its router gets it, the response as it came, and which route and cluster it chose.
The processor sends the shadow with the engine of the proxy, and pairs, compares, records and counts as that does. It
never answers: what it does, or fails to do, is not part of the client's way.

    http2_front  the server (the seam is `stream.Front`): sockets, TLS, which calls there are, the end
    http2_connection   one connection: frames in, messages to handlers, bytes out (pure); with it `http2_frames`,
                 `http2_calls`, `header_blocks`, `grpc_calls`, `grpc_messages` and `grpc_status`
    health       gRPC's health checks
    stream       one stream: from bytes to happenings, and to the exchange
    messages     protobuf, read into `events`
    exchange     which message means what, in whatever order they come (pure)
    arrived      the request, as the client sent it and as Envoy's router gets it (pure)
    engine       what all exchanges share: rules in force, admission, dispatcher and workers, observers of pairs
    mirrored     one exchange that is mirrored: its body on the way to the workers, its response to the comparison
    held         bodies that wait, counted in `mirror_queue`
    load         whether the event loop keeps up; where not, new exchanges are left
    counts, metrics, monitor   what is counted, and the port that tells it

    agreement    the decision: the rules, asked which of their decisions agree with what Envoy did (pure)

At the end, in this order: health checks are told NOT_SERVING, Envoy gets GOAWAY, streams that are open may end within
`mirror_drain`, then shadows and comparisons may. No stream that was accepted is lost before that time is over.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mirror_addon.live_page.metrics import exposed
from mirror_addon.live_page.state import State
from mirror_addon.live_page.state import mode_of
from mirror_addon.options.settings import Settings
from mirror_addon.processes.signals import stop_signals
from mirror_addon.processor.engine import Engine
from mirror_addon.processor.http2_front import Http2Front
from mirror_addon.processor.load import Load
from mirror_addon.processor.metrics import ProcessorCollector
from mirror_addon.processor.monitor import Monitor
from mirror_addon.processor.stream import Stream
from mirror_addon.rules.background import exempt_what_is_loaded
from mirror_addon.rules.live import LiveRules
from mirror_addon.rules.live_comparison import LiveComparison
from mirror_addon.statistics.pair_statistics import PairStatistics

logger = logging.getLogger(__name__)

SHARE = "x-mirror-share"
"""The metadata of Envoy's calls that says which percentage of the exchanges it tells of."""
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Setup:
    """What the command line says."""

    settings: Settings
    comparison_rules: str
    local_address: bytes
    listen: Address
    metrics: Address | None
    tls: ssl.SSLContext | None


async def run(setup: Setup, listening: Callable[[str, str], None]) -> None:
    """Run a processor until SIGINT or SIGTERM. A second signal ends it without waiting.

    `listening` is called with the address of the server and the URL of the metrics, once both accept connections.
    Raises OSError where an address cannot be had, and RulesRefused.
    """
    processor = _Processor(setup)
    stopped = asyncio.Event()
    hurried = asyncio.Event()

    def stop() -> None:
        (hurried if stopped.is_set() else stopped).set()

    with stop_signals(stop):
        try:
            listening(*await processor.start())
            await stopped.wait()
        finally:
            await processor.close(hurried)


class _Processor:
    """One run. Needs the running event loop."""

    def __init__(self, setup: Setup) -> None:
        settings = setup.settings
        self._setup = setup
        self._rules = LiveRules(setup.local_address, primary_endpoints=False)
        self._rules.load(settings)
        self._statistics = PairStatistics()
        self._load = Load()
        self._engine = Engine(settings, setup.local_address, setup.comparison_rules, (self._statistics,), self._load)
        self._rules.follow(self._engine.rules_changed)
        self._comparison = LiveComparison()
        host, port = setup.listen
        self._front = Http2Front(host, port, self._opened, self._told_share, setup.tls)
        self._monitor: Monitor | None = None

    async def start(self) -> tuple[str, str]:
        if self._setup.metrics is not None:
            self._monitor = Monitor(*self._setup.metrics, self._exposed, lambda: self._front.serving)
        address = await self._front.start()
        self._load.start()
        self._rules.watch()
        self._comparison.watch(self._setup.settings, self._engine.compare_by)
        exempt_what_is_loaded()
        return address, self._monitor.url if self._monitor is not None else ""

    async def close(self, hurried: asyncio.Event) -> None:
        drain = self._setup.settings.drain
        self._engine.closing = True
        self._rules.close()
        self._comparison.stop()
        end = asyncio.get_running_loop().time() + drain
        await _unless(hurried, self._front.close(drain))
        self._load.stop()
        left = max(end - asyncio.get_running_loop().time(), drain / 2)
        await self._engine.close(0.0 if hurried.is_set() else left)
        if self._monitor is not None:
            await self._monitor.close()

    def _opened(self) -> Stream:
        return Stream(self._engine)

    def _told_share(self, metadata: Any) -> None:
        for name, value in metadata or ():
            if name == SHARE:
                self._engine.counts.share = value

    def _exposed(self, accept: str) -> Callable[[], tuple[bytes, str]]:
        state, counts = self._state(), ProcessorCollector(self._engine.counts, self._load)
        return lambda: exposed(state, accept, counts)

    def _state(self) -> State:
        engine = self._engine
        return State(
            now=time.time(),
            mode=mode_of(engine.gate),
            statistics=self._statistics.copy(),
            requests=engine.counters.requests,
            unmatched=engine.counters.unmatched,
            totals=dict(engine.counters.totals().items()),
            targets={label: dict(target.items()) for label, target in engine.counters.targets.items()},
            table=self._rules.table,
            backoffs=engine.gate.limits.backoffs.as_list(),
            expires=engine.gate.expires,
            problem="; ".join(filter(None, (self._rules.problem, self._comparison.problem))),
            engine=engine.dispatcher.status(),
            accepted=self._comparison.accepted,
        )


async def _unless(event: asyncio.Event, work: Any) -> None:
    """Do `work` until it is done or `event` is set."""
    tasks = [asyncio.ensure_future(work), asyncio.ensure_future(event.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
