from __future__ import annotations

from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from mirror_addon.flows.exchange import Exchange
from mirror_addon.flows.response_edits import edit_response
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.header_edits import HeaderEdit
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.mesh_headers import SERVICE_TIME
from mirror_addon.routing.table import RouteTable

TIME = "x-envoy-upstream-service-time"
REMOVE = HeaderEdit(frozenset({TIME.encode()}), (), (), ())
SET = HeaderEdit(frozenset({b"x-a"}), ((b"x-a", b"1"),), (), ())
TABLE = RouteTable.build([], Identity())


def edited(*edits: HeaderEdit, from_upstream: bool = True, sent: float | None = 10.0, **fields: str) -> Any:
    flow = tflow.tflow(resp=True)
    assert flow.response
    flow.request.timestamp_end, flow.response.timestamp_start = sent, 10.25
    flow.response.headers = http.Headers([(name.replace("_", "-").encode(), v.encode()) for name, v in fields.items()])
    request = Request(b"GET", b"http", b"a.test", b"/", (), 80)
    exchange = Exchange(TABLE, request, 0, Decision(Action.ROUTE, response_headers=edits))
    edit_response(flow, exchange, from_upstream=from_upstream)
    assert exchange.answer_fields == tuple((name.replace("_", "-").encode(), v.encode()) for name, v in fields.items())
    return dict(flow.response.headers)


def test_the_edits_of_a_route() -> None:
    assert edited(SET, x_a="0", x_b="2") == {"x-b": "2", "x-a": "1"}


@pytest.mark.parametrize(
    ("edits", "sent", "from_upstream", "expected"),
    [
        ([SERVICE_TIME], 10.0, True, {TIME: "250"}),
        ([SERVICE_TIME], 10.2496, True, {TIME: "0"}),
        ([SERVICE_TIME], 11.0, True, {TIME: "0"}),
        ([SERVICE_TIME], None, True, {TIME: "7"}),
        ([SERVICE_TIME], 10.0, False, {TIME: "7"}),
        ([SERVICE_TIME, REMOVE], 10.0, True, {}),
    ],
    ids=["whole milliseconds", "less than one", "clock set back", "too early", "made by an addon", "removed"],
)
def test_the_time_of_the_upstream(
    edits: list[HeaderEdit], sent: float | None, from_upstream: bool, expected: dict[str, str]
) -> None:
    own = {"x_envoy_upstream_service_time": "7"}
    assert edited(*edits, sent=sent, from_upstream=from_upstream, **own) == expected
