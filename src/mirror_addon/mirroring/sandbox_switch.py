"""Puts the sandbox around the addon's hooks while `mirror_sandbox` is set, and takes it away when it is not.

Without the option the addon has its own hooks, and none of this is in the way of a request.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

from mitmproxy import http

from mirror_addon.flows import heads
from mirror_addon.flows.exchange import Exchange
from mirror_addon.flows.exchange import Exchanges
from mirror_addon.flows.leaving import head_of
from mirror_addon.mirroring.shadow_writer import ShadowWriter
from mirror_addon.routing.decision import Action
from mirror_addon.rules.live import LiveRules

if TYPE_CHECKING:
    from mirror_addon.mirroring.sandbox import Sandbox

HOOKS = ("requestheaders", "request", "response", "error")


class SandboxSwitch:
    """`addon` has the methods `_requestheaders` and so on; `guarded` makes hooks of them. `let_pass(flow, exchange,
    writer)` applies a decision that lets a request pass."""

    def __init__(
        self,
        addon: Any,
        guarded: Callable[[Callable[[Any], Any]], Callable[[Any], Any]],
        rules: LiveRules,
        exchanges: Exchanges,
        let_pass: Callable[[http.HTTPFlow, Exchange, ShadowWriter], None],
    ) -> None:
        self.sandbox: Sandbox | None = None
        self._addon = addon
        self._guarded = guarded
        self._rules = rules
        self._exchanges = exchanges
        self._let_pass = let_pass
        self._writer: ShadowWriter | None = None

    def apply(self, writer: ShadowWriter) -> None:
        """Take the options in force."""
        self._writer = writer
        if not writer.settings.sandbox:
            self._take_away(writer)
        elif self.sandbox is not None:
            self.sandbox.apply()
        else:
            from mirror_addon.mirroring.sandbox import Hooks  # imports much, and few runs need it
            from mirror_addon.mirroring.sandbox import Sandbox

            own = {name: getattr(self._addon, f"_{name}") for name in HOOKS}
            self.sandbox = sandbox = Sandbox(writer, self._exchanges, Hooks(**own, pass_on=self.pass_on))
            for name in HOOKS:
                setattr(self._addon, name, self._guarded(getattr(sandbox, name)))
            writer.sender.sandbox = sandbox
            writer.book.observers.append(sandbox.pairs)

    def _take_away(self, writer: ShadowWriter) -> None:
        sandbox, self.sandbox = self.sandbox, None
        if sandbox is None:
            return
        sandbox.close()
        for name in HOOKS:
            setattr(self._addon, name, self._guarded(getattr(self._addon, f"_{name}")))
        writer.sender.sandbox = None

    def close(self) -> None:
        """The addon ends."""
        if self.sandbox is not None:
            self.sandbox.close()

    def pass_on(self, flow: http.HTTPFlow) -> None:
        """Send a mirror's call, which is complete, where the rules route it. It is mirrored nowhere."""
        table, writer = self._rules.table, self._writer
        if table is None or writer is None:
            return
        request = heads.read_request(flow, writer.local_address, table.wants_facts)
        draw = random.getrandbits(64)
        decision = table.route(request, draw)
        decision.mirrors = ()
        exchange = Exchange(table, request, draw, decision, settled=True)
        if decision.response:
            heads.answer(flow, decision.response)
        else:
            self._let_pass(flow, exchange, writer)
            flow.request.stream, exchange.request_copy = False, None  # its body is there already
            if decision.action is Action.ROUTE and not flow.response:
                heads.frame_body(flow, decision)
        exchange.written = head_of(flow)
        self._exchanges[flow] = exchange
