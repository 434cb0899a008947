"""Flows of pairs, made of real shadows and results."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.addons.view import View
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.comparison import compare
from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.in_flight import Primary
from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.shadow.pair import Pair
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.request import Target
from mirror_addon.shadow.result import ShadowResult
from mirror_addon.shadow_flows.flow_list import ShadowFlows

JSON = ((b"content-type", b"application/json"),)
TEXT = ((b"content-type", b"text/plain"),)


def primary_flow(
    body: bytes | None = b'{"total": 1}', headers: Any = JSON, status: int = 200, path: bytes = b"/x"
) -> http.HTTPFlow:
    """A primary as it left and was answered, 20 ms after its request."""
    flow = tflow.tflow(resp=True)
    flow.request = http.Request(
        host="127.0.0.1",
        port=9001,
        method=b"GET",
        scheme=b"http",
        authority=b"",
        path=path,
        http_version=b"HTTP/1.1",
        headers=http.Headers([(b"Host", b"shop.test"), (b"x-forwarded-for", b"10.0.0.1")]),
        content=b"",
        trailers=None,
        timestamp_start=1000.0,
        timestamp_end=1000.0,
    )
    flow.response = http.Response(
        b"HTTP/1.1", status, b"OK", http.Headers(headers), body, None, timestamp_start=1000.01, timestamp_end=1000.02
    )
    flow.server_conn.timestamp_start = 999.0
    return flow


def shadow_request(primary: http.HTTPFlow, label: str = "b/v2") -> ShadowRequest:
    headers = ((b"x-forwarded-for", b"10.0.0.1,10.0.0.2"),)
    target = Target(label, "127.0.0.1", 9002, False, "b", None)
    path = primary.request.data.path
    return ShadowRequest(target, b"GET", b"shop.test-shadow", path, headers, 30.0)


def result_of(shadow: ShadowRequest, body: bytes = b'{"total": 2}', headers: Any = JSON, **more: Any) -> ShadowResult:
    values: dict[str, Any] = {
        "status": 200,
        "http_version": "HTTP/1.1",
        "bytes": len(body),
        "total_ms": 61.0,
        "first_byte_ms": 60.0,
    }
    values |= {"outcome": "sent", "headers": headers, "body": body} | more
    return ShadowResult("1/1", shadow.target.label, **values)


def in_flight(primary: http.HTTPFlow, request: ShadowRequest) -> Shadow:
    """The shadow of a request, in a book of its own."""
    return InFlight().admit(Primary(primary.id), request.target.label)


def ended(result: ShadowResult) -> Shadow:
    """A shadow with this result."""
    shadow = InFlight().admit(Primary("1"), result.label)
    shadow.result = result
    return shadow


def pair_of(
    primary: http.HTTPFlow, result: ShadowResult, *, control: bool = False, shadow: Shadow | None = None
) -> Pair:
    """The pair as the worker would have compared it."""
    response = primary.response
    assert response
    answers = (
        Answer(response.status_code, response.headers.fields, response.raw_content, len(response.raw_content or b"")),
        Answer(result.status, result.headers, result.body, result.bytes, error=result.reason),
    )
    comparison: Comparison | None = compare(*answers)
    return Pair(
        result.id,
        primary.id,
        "default/shop http[0]",
        "b/v1",
        result.label,
        "GET",
        "http://shop.test/x",
        control,
        response.status_code,
        20.0,
        result,
        comparison,
        shadow.view if shadow is not None else None,
    )


def show_pair(
    view: View, flows: ShadowFlows, primary: http.HTTPFlow, *, control: bool = False, **answer: Any
) -> http.HTTPFlow:
    """A primary and its shadow in the view; the shadow's flow."""
    view.add([primary])
    request = shadow_request(primary)
    shadow = in_flight(primary, request)
    flows.expect(shadow, request, primary, b"")
    flows.pair(pair_of(primary, result_of(request, **answer), control=control, shadow=shadow))
    made = view.get_by_id(primary.metadata["mirror_shadows"][-1])
    assert isinstance(made, http.HTTPFlow)
    return made


@pytest.fixture
async def view() -> AsyncIterator[View]:
    """The list of flows of a tool that has one."""
    shown = View()
    with taddons.context(shown):
        yield shown
