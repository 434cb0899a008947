"""The live page as the addon has it: the app over the addon's state, its magic host and its port."""

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
from mirror_addon.live_page.state import CommandRefused
from mirror_addon.live_page.state import Mode
from mirror_addon.live_page.state import State
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
"""Seconds for which a thread waits for the proxy's loop."""


class LivePage:
    """The page over a session, whose buttons run `commands`. Costs nothing until it is asked for, or a port is set."""

    def __init__(self, session: Session, commands: Mapping[str, Callable[..., str]]) -> None:
        self._session = session
        self._commands = commands
        self.serves = magic_host.is_for_page
        """Whether a flow asks for the page: then it is to be kept from everything else."""
        self._app: LazyApp | None = None
        self._port: PagePort | None = None
        self._compared_since: float | None = None

    def start(self, settings: Settings) -> None:
        """Listen where the options say. A port that is taken does not stop mitmproxy, so it is told as a warning."""
        try:
            self.listen(settings.web_port)
        except OptionError as error:
            logger.warning("mirror: %s; until then the page is at http://%s/ through the proxy", error, magic_host.HOST)

    async def serve(self, flow: http.HTTPFlow) -> None:
        """Answer `flow`, unless another addon has: one that asks for a password. Raises AddonHalt at the end, which
        keeps it from the addons that come later."""
        if not (flow.response or flow.error):
            await magic_host.serve(flow, self._lazy_app())
        raise exceptions.AddonHalt

    def listen(self, port: int | None) -> None:
        """From now on, listen on this port of 127.0.0.1, or on none. Raises OptionError and changes nothing where
        the port is taken."""
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
        from mirror_addon.live_page.port import PagePort  # loads a web server

        return PagePort(port, self._lazy_app())

    def compared_since(self) -> float | None:
        """Since when answers are compared whole, as far as anybody has asked; None: they are not."""
        session = self._session
        if session.writer is None or not session.writer.compares:
            self._compared_since = None
        elif self._compared_since is None:
            statistics = session.statistics
            self._compared_since = time.time() if statistics.answered > statistics.compared else statistics.started
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
    """A session as the page's source: what a thread asks is done in the proxy's loop."""

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
            raise CommandRefused("the proxy is too busy to answer") from None

    def _compare(self) -> None:
        if self._session.writer:
            self._session.writer.compare_from_now_on()

    def _in_loop(self, function: Callable[[], T]) -> T:
        async def call() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(PATIENCE)


def state_of(session: Session, compared_since: float | None) -> State:
    """The session at this moment, copied where it goes on to change."""
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
        totals=dict(counters.totals().items()),
        targets={label: dict(target.items()) for label, target in counters.targets.items()},
        table=session.rules.table,
        overrides=overrides_of(gate, session.rules.table),
        backoffs=gate.limits.backoffs.as_list(),
        expires=gate.expires,
        problem="; ".join(filter(None, (session.rules.problem, session.comparison.problem))),
        engine=writer.dispatcher.status(),
        compared_since=compared_since,
        addresses=tuple(f"{address[0]}:{address[1]}" for address in server.listen_addrs()) if server else (),
    )


def overrides_of(gate: AdmissionGate, table: RouteTable | None) -> dict[RuleKey, Override]:
    """What is said of rules over the head of the files."""
    if table is None or not gate.overrides:
        return {}
    found = ((rule, gate.overrides.of(rule)) for rule in table.mirroring)
    return {rule_key(rule): replace(override) for rule, override in found if override is not None}


def mode_of(gate: AdmissionGate) -> Mode:
    if gate.paused:
        return "paused"
    if not gate.settings.enabled:
        return "off"
    return "expired" if gate.expired else "mirroring"
