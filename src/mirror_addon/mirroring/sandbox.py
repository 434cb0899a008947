"""The sandbox: mirrors' calls to other services are answered with what the primary's calls were answered.

Theory of operation. Both versions of a service have the proxy as theirs (`HTTP_PROXY`), the mirror at a port of its own
that `mirror_sandbox` names. Requests and the calls made for them have the same id (`sandbox.ids`). `Sandbox` stands
around four of mitmproxy's hooks, and only while the option is set, so that without it nothing is done for a request:

    requestheaders   A mirrored request with an id opens an entry in the book of calls. A request at another port whose
                     id is in the book is a call of the primary: it passes as ever, and is noted. A request at a port
                     of the sandbox is a mirror's call: it is not routed, and waits for its body.
    request          The mirror's call is matched with one of the primary's. It waits (a coroutine: the loop goes on)
                     until the primary's has its response, for at most `mirror_timeout`, and gets that response. A call
                     that the primary did not make is blocked or passed (`mirror_sandbox_unknown`).
    response, error  The primary's call is over: its response is kept. The mirrored request is over: `called_pairs`.

Nothing here changes or delays what the primary's calls get. They are not mirrored by `mirror_to`, because the mirror
makes those calls itself. What fails here blocks a mirror's call, and lets any other request pass.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

from mitmproxy import http

from mirror_addon.compare.calls import STATES
from mirror_addon.flows import calls as call_flows
from mirror_addon.flows import grpc_streams
from mirror_addon.flows import heads
from mirror_addon.flows.exchange import Exchange
from mirror_addon.mirroring.call_translation import CallTranslation
from mirror_addon.mirroring.called_pairs import CalledPairs
from mirror_addon.mirroring.called_pairs import Root
from mirror_addon.mirroring.engine_settings import redaction_of
from mirror_addon.mirroring.mirror_calls import NOT_KEPT
from mirror_addon.mirroring.mirror_calls import MirrorCalls
from mirror_addon.mirroring.sandbox_advice import SandboxAdvice
from mirror_addon.routing.decision import Action
from mirror_addon.sandbox.book import CallBook
from mirror_addon.sandbox.book import Entry
from mirror_addon.sandbox.call import CallRequest
from mirror_addon.sandbox.call import PrimaryCall
from mirror_addon.sandbox.ids import ids_of

if TYPE_CHECKING:
    from mirror_addon.dispatch.in_flight import Shadow
    from mirror_addon.flows.exchange import Exchanges
    from mirror_addon.mirroring.shadow_writer import ShadowWriter
    from mirror_addon.options.settings import Settings

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 5.0

Hook = Callable[[http.HTTPFlow], Any]


class Hooks(NamedTuple):
    """The hooks of the addon that the sandbox stands around, and how a mirror's call is let pass."""

    requestheaders: Hook
    request: Hook
    response: Hook
    error: Hook
    pass_on: Callable[[http.HTTPFlow], Any]


class _PrimaryFlow(NamedTuple):
    """A call of the primary that is under way."""

    entry: Entry
    call: PrimaryCall


class Sandbox:
    """One run's sandbox."""

    def __init__(self, writer: ShadowWriter, exchanges: Exchanges, hooks: Hooks) -> None:
        self._writer = writer
        self._exchanges = exchanges
        self._hooks = hooks
        self.book = CallBook(lambda calls: self._not_kept("memory", calls))
        self.pairs = CalledPairs(self._send, self._count, lambda: redaction_of(self._settings.redact))
        self._advice = SandboxAdvice()
        translation = CallTranslation(writer, self._count)
        self._calls = MirrorCalls(writer, self.book, self._advice, self._count, hooks.pass_on, translation.translate)
        self._primary_flows: dict[str, _PrimaryFlow] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._counts = writer.counters.sandbox
        for state in STATES:
            self._counts.setdefault(state, 0)
        self.apply()

    @property
    def _settings(self) -> Settings:
        return self._writer.settings

    def apply(self) -> None:
        """Take the options in force."""
        self.pairs.ports = self._settings.sandbox
        self._ports = frozenset(self._settings.sandbox)

    def close(self) -> None:
        """End the sweeps."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # mitmproxy's hooks

    def requestheaders(self, flow: http.HTTPFlow) -> Any:
        port = self._port_of(flow)
        if port and flow.live and flow.request.data.method not in heads.UNROUTED_METHODS:
            self._calls.begin(flow, port)
            return None
        found = self._hooks.requestheaders(flow)
        exchange = self._exchanges.get(flow)
        if exchange is not None:
            try:
                self._note(flow, exchange)
            except Exception as error:  # a fault of this program must not keep the request from passing
                self._advice.fault("requestheaders", error)
        return found

    def request(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        answer = self._calls.answer(flow)
        if answer is not None:
            return answer
        primary_flow = self._primary_flows.get(flow.id)
        found: Awaitable[None] | None = self._hooks.request(flow)
        if primary_flow is not None and flow.request.raw_content is not None:
            primary_flow.call.request = call_flows.call_of(flow, primary_flow.call.request)
            primary_flow.entry.changed()
        return found

    def response(self, flow: http.HTTPFlow) -> None:
        try:
            self._ended(flow)
        except Exception as error:
            self._advice.fault("response", error)
        self._hooks.response(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        self._calls.forget(flow)
        try:
            self._ended(flow)
        except Exception as error:
            self._advice.fault("error", error)
        self._hooks.error(flow)

    def _port_of(self, flow: http.HTTPFlow) -> int:
        """The port of the sandbox at which a flow came in; 0: at another one."""
        address = flow.client_conn.sockname
        return address[1] if address and address[1] in self._ports else 0

    # The primary

    def _note(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        ids = ids_of(flow.request.data.headers.fields)
        entry = self.book.find(ids) if ids else None
        mirrored = not exchange.settled and any(each.sampled and not each.skipped for each in exchange.decision.mirrors)
        if entry is not None and not (mirrored and entry.answered is not None):
            self._note_call(flow, exchange, entry)
        elif mirrored and exchange.decision.request is not None:
            self._open(flow, exchange, ids)

    def _open(self, flow: http.HTTPFlow, exchange: Exchange, ids: tuple[bytes, ...]) -> None:
        if exchange.decision.action is Action.PASSTHROUGH and self._settings.request_id and not ids[:1]:
            flow.request.headers["x-request-id"] = str(uuid.uuid4())
            ids = ids_of(flow.request.data.headers.fields)
        if not ids:
            self._advice.request_without_id()
            return
        now = asyncio.get_running_loop().time()
        self.pairs.open(Root(self.book.open(ids, flow.id, now), flow))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    def _note_call(self, flow: http.HTTPFlow, exchange: Exchange, entry: Entry) -> None:
        self._advice.calls_of_primary = True
        head = call_flows.head_of_call(exchange.request)
        call = self.book.note(entry, head, asyncio.get_running_loop().time())
        if call is not None:
            if flow.request.stream:
                call.request = head._replace(body=None)
            self._primary_flows[flow.id] = _PrimaryFlow(entry, call)
        if exchange.decision.action is Action.PASSTHROUGH and not exchange.settled and exchange.decision.mirrors:
            self._writer.none(exchange, "call")

    def _ended(self, flow: http.HTTPFlow) -> None:
        now = asyncio.get_running_loop().time()
        primary_flow = self._primary_flows.pop(flow.id, None)
        if primary_flow is not None:
            entry, call = primary_flow
            exchange = self._exchanges[flow]
            grpc_streams.keep_request(flow, exchange)
            grpc_streams.keep_response(flow, exchange)
            kept, lost = call_flows.response_of(flow, exchange, now - call.started)
            before = call.size
            call.end(call_flows.call_of(flow, call.request), kept, lost)
            if lost:
                self._not_kept(lost, 1, call.request)
            self.book.resized(entry, before, call)
        root = self.pairs.root_of(flow)
        if root is not None and root.entry.answered is None:
            self._answered(root, now)

    def _answered(self, root: Root, now: float) -> None:
        self.book.answer(root.entry, now)
        self.pairs.answered(root)

    def _not_kept(self, why: str, calls: int, request: CallRequest | None = None) -> None:
        name = f"not_kept.{why}"
        self._counts[name] = self._counts.get(name, 0) + calls
        self._advice.not_kept(why, NOT_KEPT[why], request)

    def _sweep(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        self.book.sweep(now)
        for root in self.pairs.sweep():
            self._answered(root, now)
        for id in [id for id, each in self._primary_flows.items() if each.entry.forgotten]:
            del self._primary_flows[id]
        if len(self.book):
            self._timer = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    # The pairs

    def admitted(self, flow: http.HTTPFlow, shadows: Sequence[Shadow]) -> None:
        """These shadows of `flow` will be sent."""
        self.pairs.admitted(flow, shadows)

    def _count(self, name: str) -> None:
        self._counts[name] = self._counts.get(name, 0) + 1

    def _send(self, shadow: Shadow, calls: bytes) -> None:
        self._writer.send_calls(shadow, calls)
