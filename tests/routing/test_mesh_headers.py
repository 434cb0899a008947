"""`mirror_proxy_headers=istio`. Real Envoy is asked in `tests/live/test_envoy_differential.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.routing.decision import Facts
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.mesh_headers import SERVICE_TIME
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


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, None),
        ({"timeout": "2.5s"}, b"2500"),
        ({"timeout": "2s", "retries": {"attempts": 2, "perTryTimeout": "500ms"}}, b"500"),
        ({"timeout": "2s", "retries": {"attempts": 2, "perTryTimeout": "3s"}}, b"2000"),
        ({"timeout": "2s", "retries": {"attempts": 0, "perTryTimeout": "1s"}}, b"2000"),
        ({"timeout": "2s", "retries": {"attempts": 2}}, b"2000"),
        ({"retries": {"attempts": 2, "perTryTimeout": "1s"}}, b"1000"),
    ],
)
def test_how_long_a_request_may_take(build: Build, ask: Ask, rule: dict[str, Any], expected: bytes | None) -> None:
    table = build([{"route": [{"destination": V1}], **rule}], identity=Identity(mesh_headers=True))
    decision = table.route(ask("/", "example.com", ("X-Envoy-Expected-Rq-Timeout-Ms", "9")), 0)
    assert decision.request is not None
    assert dict(decision.request.headers).get(b"x-envoy-expected-rq-timeout-ms") == expected


def test_a_shadow_may_take_the_time_of_the_route(build: Build, ask: Ask) -> None:
    rule = {"route": [{"destination": V1}], "mirror": V1, "retries": {"attempts": 2, "perTryTimeout": "1s"}}
    sent = ((b"x-envoy-expected-rq-timeout-ms", b"1000"),)
    for timeout, expected in (({}, b"1000"), ({"timeout": "2s"}, b"2000")):
        decision = build([{**rule, **timeout}], identity=Identity(mesh_headers=True)).route(ask(), 0)
        assert decision.mirrors[0].edit is not None
        assert dict(decision.mirrors[0].edit.apply(sent))[sent[0][0]] == expected


def test_a_route_may_remove_them(build: Build, ask: Ask) -> None:
    removed = ["x-envoy-attempt-count", "x-envoy-expected-rq-timeout-ms", "x-envoy-original-path"]
    rule = {
        "route": [{"destination": V1}],
        "timeout": "1s",
        "rewrite": {"uri": "/new"},
        "headers": {"request": {"remove": removed}},
    }
    decision = build([rule], identity=Identity(mesh_headers=True)).route(ask("/"), 0)
    assert decision.request is not None
    assert [name for name, _ in decision.request.headers if name.decode() in removed] == [b"x-envoy-original-path"]


def test_responses_are_marked_before_their_edits(build: Build, ask: Ask) -> None:
    rule = {"route": [{"destination": V1}], "headers": {"response": {"remove": ["x-envoy-upstream-service-time"]}}}
    marked, edit = build([rule], identity=Identity(mesh_headers=True)).route(ask(), 0).response_headers
    assert marked is SERVICE_TIME and edit.dropped == {b"x-envoy-upstream-service-time"}
    assert build([rule]).route(ask(), 0).response_headers == (edit,)


def test_a_request_that_stays_as_it_is(build: Build, ask: Ask) -> None:
    table = build([{"route": [{"destination": V1}]}], identity=Identity(mesh_headers=True, use_remote_address=False))
    decision = table.route(ask(), 0)
    assert decision.request is not None
    assert decision.request.headers == ((b"x-forwarded-proto", b"http"), (b"x-envoy-attempt-count", b"1"))


def test_local_replies_have_none(build: Build, ask: Ask) -> None:
    table = build([{"directResponse": {"status": 201}}], identity=Identity(mesh_headers=True))
    assert table.route(ask(), 0).request is None
