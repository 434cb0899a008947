"""`mirror_proxy_headers=istio`. Real Envoy is asked in `tests/live/test_envoy_differential.py`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mirror_addon.routing.decision import Facts
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.mesh_headers import with_received
from mirror_addon.routing.table import RouteTable

Build = Callable[..., RouteTable]
Ask = Callable[..., Request]
V1 = {"host": "svc", "subset": "v1"}
SENT: Fields = (
    (b"X-Forwarded-Proto", b"https"), (b"x-envoy-internal", b"true"), (b"X-Envoy-Original-Path", b"/o"), (b"a", b"1"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("edge", "facts", "expected"),
    [
        (True, False, {b"a": b"1", b"x-forwarded-proto": b"http", b"x-envoy-external-address": b"10.0.0.1"}),
        (True, True, {b"a": b"1", b"x-forwarded-proto": b"http", b"x-envoy-external-address": b"127.0.0.1"}),
        (False, True, {b"X-Forwarded-Proto": b"https", b"X-Envoy-Original-Path": b"/o", b"a": b"1"}),
    ],
)
def test_of_the_connection(edge: bool, facts: bool, expected: dict[bytes, bytes]) -> None:
    request = Request(b"GET", b"http", b"a.test", b"/", SENT, 80, b"10.0.0.1")
    if facts:
        request.facts = Facts(("127.0.0.1", 1), ("127.0.0.1", 2), "HTTP/1.1", 0.0, "h")
    assert dict(with_received(request, SENT, edge)) == expected


def test_a_client_without_an_address() -> None:
    request = Request(b"GET", b"https", b"a.test", b"/", (), 80)
    assert with_received(request, (), True) == ((b"x-forwarded-proto", b"https"),)
    assert with_received(request, (), False) == ((b"x-forwarded-proto", b"https"),)


def test_of_the_route(build: Build, ask: Ask) -> None:
    rule = {
        "route": [{"destination": V1}],
        "rewrite": {"uri": "/new", "authority": "n.test"},
        "mirrors": [{"destination": V1}, {"destination": V1}],
    }
    table = build([rule], identity=Identity(mesh_headers=True))
    assert table.wants_facts
    decision = table.route(ask("/", "example.com", ("x-envoy-attempt-count", "9")), 0)
    assert decision.request is not None
    assert dict(decision.request.headers) == {
        b"x-forwarded-proto": b"http",
        b"x-envoy-attempt-count": b"1",
        b"x-envoy-original-path": b"/",
        b"x-envoy-original-host": b"example.com",
    }
    edits = [mirror.edit.apply(((b"X-Envoy-Internal", b"false"),)) for mirror in decision.mirrors if mirror.edit]
    assert edits == [((b"x-envoy-internal", b"true"),)] * 2


def test_a_request_that_stays_as_it_is(build: Build, ask: Ask) -> None:
    table = build([{"route": [{"destination": V1}]}], identity=Identity(mesh_headers=True, use_remote_address=False))
    decision = table.route(ask(), 0)
    assert decision.request is not None
    assert decision.request.headers == ((b"x-forwarded-proto", b"http"), (b"x-envoy-attempt-count", b"1"))


def test_local_replies_have_none(build: Build, ask: Ask) -> None:
    table = build([{"directResponse": {"status": 201}}], identity=Identity(mesh_headers=True))
    assert table.route(ask(), 0).request is None
