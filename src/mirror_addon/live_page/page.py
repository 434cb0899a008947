"""What the addon holds of the live page: its app, its port, and the session that it shows."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
import time
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import TypeVar

from mitmproxy import ctx
from mitmproxy import exceptions
from mitmproxy import http

from mirror_addon.admission.overrides import Override
from mirror_addon.admission.overrides import RuleKey
from mirror_addon.admission.overrides import rule_key
from mirror_addon.live_page import magic_host
from mirror_addon.live_page.lazy_app import LazyApp
from mirror_addon.live_page.origin import origin
from mirror_addon.live_page.state import CommandRefused
from mirror_addon.live_page.state import State
from mirror_addon.live_page.state import mode_of
from mirror_addon.live_page.state import not_started
from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import Settings

if TYPE_CHECKING:
    from flask import Flask

    from mirror_addon.admission.gate import AdmissionGate
    from mirror_addon.live_page.port import PagePort
    from mirror_addon.routing.table import RouteTable
    from mirror_addon.session import Session

logger = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds for which a thread waits for the event loop."""


class LivePage:
    """The page of a session. Its buttons run `commands`. Nothing is imported until it is requested or has a port."""

    def __init__(self, session: Session, commands: Mapping[str, Callable[..., str]]) -> None:
        self._session = session
        self._commands = commands
        self.serves = magic_host.is_for_page
        """Whether a flow requests the page. Nothing else may handle such a flow."""
        self._app: LazyApp | None = None
        self._port: PagePort | None = None
        self._compared_since: float | None = None

    def start(self, settings: Settings) -> None:
        """Listen on the port in the options. If it is taken, log a warning, because mitmproxy goes on without it."""
        try:
            self.listen(settings.web_port)
        except OptionError as error:
            logger.warning(
                "mirror: %s; until then, the page is at http://%s/ through the proxy", error, magic_host.HOST
            )

    async def serve(self, flow: http.HTTPFlow) -> None:
        """Set the response of `flow`, unless another addon has set one, such as a request for a password.

        Raises AddonHalt at the end, so that mitmproxy does not pass the flow to later addons.
        """
        if not (flow.response or flow.error):
            await magic_host.serve(flow, self._lazy_app())
        raise exceptions.AddonHalt

    def listen(self, port: int | None) -> None:
        """Listen on this port of 127.0.0.1 from now on, or on none.

        Raises OptionError if the port is taken, and then changes nothing.
        """
        if port == (self._port.port if self._port else None):
            return
        try:
            opened = None if port is None else self._open(port)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            raise OptionError(f"mirror_web_port={port}: {why}; choose a port that is free") from None
        if self._port:
            self._port.close()
        self._port = opened
        if opened:
            logger.info("mirror: the live page is at %s", opened.url)

    def close(self) -> None:
        """Free the port."""
        if self._port:
            self._port.close()
            self._port = None
        self._app = None

    def _open(self, port: int) -> PagePort:
        from mirror_addon.live_page.port import PagePort  # imports tornado

        return PagePort(port, self._lazy_app(), origin)

    def compared_since(self) -> float | None:
        """Return since when whole responses are compared; None if they are not.

        The writer does not record the time, so it is taken when this is first called after the comparison began. If
        every response so far was compared, the comparison began with the session.
        """
        session = self._session
        if session.writer is None or not session.writer.compares:
            self._compared_since = None
        elif self._compared_since is None:
            statistics = session.statistics
            self._compared_since = time.time() if statistics.sent > statistics.compared else statistics.started
        return self._compared_since

    def _lazy_app(self) -> LazyApp:
        if self._app is None:
            source = SessionSource(self._session, self._commands, self.compared_since, asyncio.get_running_loop())

            def make() -> Flask:
                from mirror_addon.live_page.app import create_app  # imports Flask, pygal and prometheus_client

                return create_app(source)

            self._app = LazyApp(make)
        return self._app


class SessionSource:
    """The page's Source for a session. Its methods are called in a thread, and do their work in the event loop."""

    def __init__(
        self,
        session: Session,
        commands: Mapping[str, Callable[..., str]],
        compared_since: Callable[[], float | None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._session = session
        self._commands = commands
        self._compared_since = compared_since
        self._loop = loop

    def state(self) -> State:
        return self._in_loop(lambda: state_of(self._session, self._compared_since()))

    def opened(self) -> None:
        self._in_loop(self._compare)

    def command(self, name: str, *arguments: str) -> str:
        command = self._commands[name]
        try:
            return str(self._in_loop(lambda: command(*arguments)))
        except exceptions.CommandError as error:
            raise CommandRefused(str(error)) from None
        except concurrent.futures.TimeoutError:
            raise CommandRefused(f"the proxy did not run the command within {PATIENCE:g} s") from None

    def _compare(self) -> None:
        if self._session.writer:
            self._session.writer.compare_from_now_on()

    def _in_loop(self, function: Callable[[], T]) -> T:
        async def call() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(PATIENCE)


def state_of(session: Session, compared_since: float | None) -> State:
    """Return the state of the session, with copies of everything that changes later."""
    writer = session.writer
    if writer is None:
        return not_started()
    gate, counters = writer.gate, writer.counters
    server = ctx.master.addons.get("proxyserver")
    return State(
        now=time.time(),
        mode=mode_of(gate),
        statistics=session.statistics.copy(),
        requests=counters.requests,
        unmatched=counters.unmatched,
        totals=dict(counters.totals().items()) | dict(counters.calls()),
        targets={label: dict(target.items()) for label, target in counters.targets.items()},
        table=session.rules.table,
        overrides=overrides_of(gate, session.rules.table),
        backoffs=gate.limits.backoffs.as_list(),
        expires=gate.expires,
        problem="; ".join(filter(None, (session.rules.problem, session.comparison.problem))),
        engine=writer.dispatcher.status(),
        accepted=session.comparison.accepted,
        compared_since=compared_since,
        reruns=tuple(writer.rerun.results.values()),
        addresses=tuple(f"{address[0]}:{address[1]}" for address in server.listen_addrs()) if server else (),
    )


def overrides_of(gate: AdmissionGate, table: RouteTable | None) -> dict[RuleKey, Override]:
    """Return copies of the overrides of the present rules."""
    if table is None or not gate.overrides:
        return {}
    found = ((rule, gate.overrides.of(rule)) for rule in table.mirroring)
    return {rule_key(rule): replace(override) for rule, override in found if override is not None}
