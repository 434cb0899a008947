from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.processor.events import Head
from mirror_addon.processor.exchange import End

ANNOTATED = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: default, annotations: {%s}}
spec:
  hosts: [shop.test]
  http:
  - route: [{destination: {host: v1}}]
    mirror: {host: m1}
"""
FIRST = "default/shop http[0]"


@pytest.mark.parametrize(
    ("path", "route", "skipped"),
    [
        ("/plain", "default/shop http[0] match[0]", {}),
        ("/gone", "default/shop http[1] match[0]", {"local_reply": 1}),
        ("/never", "default/shop http[2] match[0]", {"percent": 1}),
    ],
)
async def test_what_is_not_mirrored_is_left_at_once(told: Any, path: str, route: str, skipped: dict[str, int]) -> None:
    assert not told.request(path, route=route)
    assert (told.skipped, told.ended, told.dispatcher.offers) == (skipped, {End.LEFT: 1}, [])
    assert told.engine.counters.requests == 1


async def test_by_the_rules_where_no_route_is_told(told: Any) -> None:
    assert told.request("/x", route="", cluster="")
    assert len(told.dispatcher.offers) == 2
    told.begin()
    assert not told.request("/x", route="", cluster="", host=b"other.test")
    assert told.engine.counters.unmatched == 1


@pytest.mark.parametrize(
    ("fields", "method"), [(((b"connection", b"upgrade"), (b"upgrade", b"websocket")), b"GET"), ((), b"CONNECT")]
)
async def test_no_upgrades_and_no_tunnels(told: Any, fields: Any, method: bytes) -> None:
    assert not told.request("/x", *fields, method=method)
    assert sum(told.skipped.values()) == 2
    assert told.skipped.keys() <= {"upgrade", "method"}


@pytest.mark.parametrize(
    ("host", "hops", "mirrored"),
    [
        (b"shop.test-shadow", b"198.51.100.7", False),
        (b"shop.test", b"198.51.100.7,192.0.2.1,192.0.2.1", False),  # our hop, then Envoy's of this machine
        (b"shop.test", b"203.0.113.9,192.0.2.1", True),  # a client of this machine
        (b"shop.test", b"198.51.100.7", True),
    ],
)
async def test_no_shadows_of_shadows(told: Any, host: bytes, hops: bytes, mirrored: bool) -> None:
    pseudo = ((b":authority", host), (b":path", b"/x"), (b":method", b"GET"), (b":scheme", b"http"))
    attributes = {"xds.route_name": "default/shop http[5]", "source.address": "127.0.0.1:5"}
    told.send(Head(True, (*pseudo, (b"x-forwarded-for", hops)), True, attributes))
    assert (len(told.dispatcher.offers), told.skipped) == ((2, {}) if mirrored else (0, {"loop": 2}))


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ('mirror-addon/methods: "safe"', "method"),
        ('mirror-addon/expires: "2020-01-01T00:00:00Z"', "expired"),
        ('mirror-addon/max-requests: "1"', "max_requests"),
        ('mirror-addon/when: "~u /other"', "when"),
    ],
)
async def test_annotations(tell: Callable[..., Any], annotation: str, reason: str) -> None:
    told = tell(ANNOTATED % annotation)
    for _ in range(2):
        told.begin()
        told.request("/x", route=FIRST, method=b"POST")
    assert told.skipped[reason] == (1 if reason == "max_requests" else 2)


async def test_options(tell: Callable[..., Any]) -> None:
    told = tell(values={"enabled": False})
    assert not told.request("/x")
    assert told.skipped == {"paused": 2}


async def test_rules_that_differ_from_envoys_are_counted(told: Any) -> None:
    told.request("/x", route="default/gone http[7]")
    told.begin()
    told.request("/x", cluster="outbound|80||other.default.svc.cluster.local")
    assert told.engine.counts.strange == {"route": 1, "cluster": 1}
    assert len(told.dispatcher.offers) == 4


async def test_an_overloaded_processor_leaves_new_exchanges(told: Any) -> None:
    told.load.overloaded = True
    assert not told.request("/x", method=b"PUT", end=False)
    assert (told.dropped, told.ended) == ({"overload": 2}, {End.LEFT: 1})
    assert len(told.dispatcher.answers) == 1
    told.engine.book.check()
    assert told.engine.book.primaries == {}


@pytest.mark.parametrize(("protocol", "http2"), [("HTTP/2", True), ("HTTP/1.1", False), ("", True)])
async def test_grpc_is_what_came_over_http2(tell: Callable[..., Any], protocol: str, http2: bool) -> None:
    """The mirror's port says no protocol; then gRPC goes over HTTP/2."""
    told = tell()
    pseudo = ((b":authority", b"shop.test"), (b":path", b"/a.B/C"), (b":method", b"POST"), (b":scheme", b"http"))
    told.send(Head(True, (*pseudo, (b"content-type", b"application/grpc")), True, {"request.protocol": protocol}))
    assert [request.target.http2 for request, _ in told.dispatcher.offers] == [http2, http2]
