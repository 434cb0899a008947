"""What tests of the sandbox's edge share: flows as they come in at a listener, and a writer without an engine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from mitmproxy import http
from mitmproxy.test import tflow

from mirror_addon.dispatch.counters import Counters
from mirror_addon.flows.exchange import Exchange
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import Settings
from mirror_addon.options.settings import parse_settings
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

TABLE = RouteTable.build((), Identity())
PORT = 8089
OTHER_PORT = 8090
FRONT = 8080
ID = "11111111-2222"


def settings(**options: Any) -> Settings:
    defaults: dict[str, Any] = {each.name: each.default for each in OPTIONS}
    return parse_settings(defaults | {"mirror_sandbox": [str(PORT)]} | {f"mirror_{k}": v for k, v in options.items()})


class Writer(SimpleNamespace):
    """Has what the sandbox uses of a ShadowWriter; keeps the calls that are sent to workers."""

    def __init__(self, **options: Any) -> None:
        super().__init__(settings=settings(**options), counters=Counters(), comparison_rules="", descriptors=b"")
        self.sent: list[tuple[Any, bytes]] = []
        self.skipped: list[tuple[Exchange, str | None]] = []

    def send_calls(self, shadow: Any, calls: bytes) -> None:
        self.sent.append((shadow, calls))

    def none(self, exchange: Exchange, reason: str | None = None) -> None:
        exchange.settled = True
        self.skipped.append((exchange, reason))


def call_flow(
    method: str = "POST",
    path: str = "/charges",
    body: bytes | None = b'{"amount": 10}',
    *,
    port: int = PORT,
    id: str = ID,
    version: str = "HTTP/1.1",
    fields: dict[str, str] | None = None,
) -> http.HTTPFlow:
    """A request to `pay.test` that came in at `port`."""
    flow = tflow.tflow()
    flow.live = True
    flow.client_conn.sockname = ("127.0.0.1", port)
    flow.client_conn.timestamp_tls_setup = None
    flow.client_conn.tls = False
    flow.request = http.Request.make(method, f"http://pay.test{path}", body or b"", {"Host": "pay.test"})
    flow.request.http_version = version
    flow.request.headers["content-type"] = "application/json"
    if id:
        flow.request.headers["x-request-id"] = id
    for name, value in (fields or {}).items():
        flow.request.headers[name] = value
    if body is None:
        flow.request.data.content = None
    return flow


def exchange_of(flow: http.HTTPFlow, *mirrors: Mirror) -> Exchange:
    """The flow as it is routed: it passes through, and has these mirrors."""
    data = flow.request.data
    request = Request(data.method, b"http", b"pay.test", data.path, data.headers.fields, 80)
    return Exchange(TABLE, request, 7, Decision(Action.PASSTHROUGH, request=request, mirrors=mirrors))


def mirror(label: str = "b/v2") -> Mirror:
    endpoint = Endpoint("127.0.0.1", 9002)
    return Mirror(Cluster("b", label, 80, (endpoint,), label=label), endpoint, 100, True, None)


def respond(flow: http.HTTPFlow, body: bytes = b'{"charge": 1}', status: int = 201) -> http.HTTPFlow:
    flow.response = http.Response.make(status, body, {"Content-Type": "application/json"})
    return flow
