from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.routing.decision import Request
from mirror_addon.routing.table import RouteTable

Build = Callable[..., RouteTable]
Ask = Callable[..., Request]

TEXT = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: many}
spec:
  hosts: [many.com]
  ports: [{number: 80, name: http}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.1}, {address: 10.0.0.2}, {address: 10.0.0.3}, {address: 10.0.0.4}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: many}
spec: {host: many.com, trafficPolicy: {loadBalancer: {consistentHash: %s}}}
"""
HTTP: list[dict[str, Any]] = [{"route": [{"destination": {"host": "many.com"}}], "mirror": {"host": "many.com"}}]


@pytest.mark.parametrize(
    ("policy", "request_of"),
    [
        ("{httpHeaderName: X-User}", lambda ask, user: ask("/", "example.com", ("x-user", user))),
        ("{httpQueryParameterName: user}", lambda ask, user: ask(f"/?user={user}")),
        ("{useSourceIp: true}", lambda ask, user: ask(client=user.encode())),
        ("{httpCookie: {name: sid}}", lambda ask, user: ask("/", "example.com", ("cookie", f"a=b; sid={user}"))),
    ],
)
def test_the_same_key_has_the_same_endpoint(policy: str, request_of: Any, build: Build, ask: Ask) -> None:
    table = build(HTTP, TEXT % policy)
    found = set()
    for user in range(30):
        endpoints = {table.route(request_of(ask, str(user)), draw).endpoint for draw in range(10)}
        assert len(endpoints) == 1
        found |= endpoints
    assert len(found) == 4


def test_without_a_key_and_for_mirrors_it_is_random(build: Build, ask: Ask) -> None:
    table = build(HTTP, TEXT % "{httpHeaderName: x-user}")
    assert len({table.route(ask(), draw).endpoint for draw in range(50)}) == 4
    request = ask("/", "example.com", ("x-user", "1"))
    assert len({table.route(request, draw).mirrors[0].endpoint for draw in range(50)}) == 4


def test_a_cookie_with_a_lifetime_is_made(build: Build, ask: Ask) -> None:
    table = build(
        HTTP, TEXT % "{httpCookie: {name: sid, ttl: 60s, path: /p, attributes: [{name: SameSite, value: Lax}]}}"
    )
    decision = table.route(ask(), 5)
    ((name, cookie),) = decision.response_headers[0].apply(())
    assert name == b"set-cookie"
    pair, *rest = cookie.decode().split("; ")
    assert rest == ["Max-Age=60", "Path=/p", "SameSite=Lax", "HttpOnly"]
    again = table.route(ask("/", "example.com", ("cookie", pair.replace('"', ""))), 77)
    assert again.endpoint == decision.endpoint
    assert again.response_headers == ()


@pytest.mark.parametrize(
    ("lifetime", "expected"), [("", None), (", ttl: 0s", ["HttpOnly"]), (", ttl: 9s", ["Max-Age=9", "HttpOnly"])]
)
def test_a_cookie_is_made_only_with_a_lifetime(
    lifetime: str, expected: list[str] | None, build: Build, ask: Ask
) -> None:
    table = build(HTTP, TEXT % f"{{httpCookie: {{name: sid{lifetime}}}}}")
    edits = table.route(ask("/", "example.com", ("cookie", "other=1")), 5).response_headers
    attributes = [edit.apply(())[0][1].decode().split("; ")[1:] for edit in edits]
    assert attributes == ([] if expected is None else [expected])
