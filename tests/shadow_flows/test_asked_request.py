from __future__ import annotations

import pytest
from mitmproxy import http
from pairtools import in_flight
from pairtools import primary_flow
from pairtools import shadow_request

from mirror_addon.routing.decision import Request
from mirror_addon.shadow_flows import metadata as meta
from mirror_addon.shadow_flows.asked_request import asked_request
from mirror_addon.shadow_flows.flow_list import ShadowFlows

OWN = b"192.0.2.1"
CLIENT = b"198.51.100.7"


def routed(*fields: tuple[bytes, bytes]) -> http.HTTPFlow:
    """A flow as it left the proxy, with these fields after Host."""
    flow = primary_flow()
    flow.client_conn.peername = (CLIENT.decode(), 1)
    flow.request.data.headers.fields = ((b"Host", b"rewritten.test"), *fields)
    flow.request.data.path = b"/rewritten"
    return flow


def announced(flow: http.HTTPFlow) -> http.HTTPFlow:
    asked = Request(b"GET", b"https", b"shop.test:8443", b"/b/\xff", (), 8443)
    request = shadow_request(flow)
    flow.live = True
    flow.response = None
    ShadowFlows(1).expect(in_flight(flow, request), request, flow, b"", asked)
    return flow


async def test_the_line_is_the_clients() -> None:
    found = asked_request(announced(routed()), OWN)
    assert (found.method, found.scheme, found.authority, found.path) == (
        b"GET",
        b"https",
        b"shop.test:8443",
        b"/b/\xff",
    )
    assert found.port == 8443


@pytest.mark.parametrize(
    ("forwarded", "asked"),
    [
        (CLIENT, None),
        (b"10.0.0.1," + CLIENT, b"10.0.0.1"),
        (b"10.0.0.1, 10.0.0.2, " + CLIENT, b"10.0.0.1, 10.0.0.2"),
        (b"10.0.0.1", b"10.0.0.1"),
    ],
)
async def test_the_hop_that_the_proxy_added_is_removed(forwarded: bytes, asked: bytes | None) -> None:
    flow = announced(routed((b"A", b"1"), (b"X-Forwarded-For", forwarded), (b"B", b"2")))
    kept = ((b"X-Forwarded-For", asked),) if asked is not None else ()
    assert asked_request(flow, OWN).headers == ((b"A", b"1"), *kept, (b"B", b"2"))


@pytest.mark.parametrize("line", [None, ["GET", "http", "shop.test"], "GET http shop.test /x", [1, 2, 3, 4]])
def test_a_flow_that_was_not_mirrored_is_as_it_is(line: object) -> None:
    flow = routed((b"X-Forwarded-For", CLIENT))
    if line is not None:
        flow.metadata[meta.ASKED_KEY] = line
    found = asked_request(flow, OWN)
    assert (found.authority, found.path) == (b"rewritten.test", b"/rewritten")
    assert found.headers == ((b"X-Forwarded-For", CLIENT),)
