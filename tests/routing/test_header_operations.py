from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.istio.resources.virtual_service import HeaderOperations
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import JOINED_REQUEST_FIELDS
from mirror_addon.routing.header_operations import compile_edit
from mirror_addon.routing.table import RouteTable

Build = Callable[..., RouteTable]
Ask = Callable[..., Request]
DESTINATION = {"host": "svc", "subset": "v1"}


def edited(operations: dict[str, Any], *fields: tuple[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
    edit = compile_edit([HeaderOperations.model_validate(operations)], JOINED_REQUEST_FIELDS)
    return edit.apply(fields) if edit else fields


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ({"set": {"x-a": "new"}}, ((b"b", b"1"), (b"x-a", b"new"))),
        ({"set": {"X-A": "new"}}, ((b"b", b"1"), (b"X-A", b"new"))),
        ({"add": {"x-a": "new"}}, ((b"X-A", b"1"), (b"b", b"1"), (b"x-a", b"2"), (b"x-a", b"new"))),
        ({"remove": ["x-a"]}, ((b"b", b"1"),)),
        ({"remove": ["x-a"], "add": {"x-a": "new"}}, ((b"b", b"1"), (b"x-a", b"new"))),
        ({"remove": ["x-a"], "set": {"x-a": "new"}}, ((b"b", b"1"), (b"x-a", b"new"))),
        ({"set": {"x-a": "s"}, "add": {"x-a": "a"}}, ((b"b", b"1"), (b"x-a", b"s"), (b"x-a", b"a"))),
        ({"set": {"x-a": ""}, "add": {"x-b": ""}}, ((b"X-A", b"1"), (b"b", b"1"), (b"x-a", b"2"))),
        ({"remove": ["Host", ":path"], "set": {"host": "h"}}, ((b"X-A", b"1"), (b"b", b"1"), (b"x-a", b"2"))),
        ({"remove": ["x-a"], "add": {"x-c": "100%%"}}, ((b"b", b"1"), (b"x-c", b"100%"))),
        ({"remove": ["x-a"], "set": {"z": "1", "c": "2"}}, ((b"b", b"1"), (b"c", b"2"), (b"z", b"1"))),
    ],
)
def test_one_level(operations: dict[str, Any], expected: Any) -> None:
    assert edited(operations, (b"X-A", b"1"), (b"b", b"1"), (b"x-a", b"2")) == expected


def test_some_headers_have_one_line_only() -> None:
    assert edited({"add": {"User-Agent": "new"}}, (b"user-agent", b"old")) == ((b"user-agent", b"old,new"),)
    assert edited({"add": {"user-agent": "new"}}) == ((b"user-agent", b"new"),)
    assert edited({"set": {"via": "a"}, "add": {"via": "b"}}) == ((b"via", b"a,b"),)


def headers(decision: Any, name: bytes) -> list[bytes]:
    assert decision.request is not None
    return [value for field, value in decision.request.headers if field.lower() == name]


def operations(**kinds: Any) -> dict[str, Any]:
    return {"request": kinds}


def test_with_one_destination_all_operations_are_one_pass(build: Build, ask: Ask) -> None:
    """Sets come before adds, wherever they came from; set against set the destination wins."""
    table = build(
        [
            {
                "headers": operations(add={"x-a": "route"}, set={"x-s": "route"}),
                "route": [
                    {
                        "destination": DESTINATION,
                        "weight": 0,
                        "headers": operations(set={"x-a": "dest", "x-s": "dest"}, remove=["x-s"]),
                    }
                ],
            }
        ]
    )
    decision = table.route(ask("/", "example.com", ("x-a", "client"), ("x-s", "client")), 0)
    assert headers(decision, b"x-a") == [b"dest", b"route"]
    assert headers(decision, b"x-s") == [b"dest"]


def test_with_several_destinations_the_routes_pass_comes_last(build: Build, ask: Ask) -> None:
    destination = {"destination": DESTINATION, "weight": 1}
    own = operations(add={"x-a": "dest"}, set={"x-s": "dest"}, remove=["x-r"])
    table = build(
        [
            {
                "headers": operations(add={"x-a": "route", "x-r": "route"}, set={"x-s": "route"}),
                "route": [{**destination, "headers": own}, destination],
            }
        ]
    )
    request = ask("/", "example.com", ("x-r", "client"))
    first, second = table.route(request, 0), table.route(request, 1)
    assert (headers(first, b"x-a"), headers(first, b"x-s")) == ([b"dest", b"route"], [b"route"])
    assert headers(first, b"x-r") == [b"route"]
    assert (headers(second, b"x-a"), headers(second, b"x-s")) == ([b"route"], [b"route"])
    assert headers(second, b"x-r") == [b"client", b"route"]


@pytest.mark.parametrize(
    ("http", "own", "expected"),
    [
        ({}, {}, b"example.com:80"),
        ({"rewrite": {"authority": "r.com"}}, {}, b"r.com"),
        ({"headers": operations(set={"Host": "h.com"})}, {}, b"h.com"),
        ({"headers": operations(add={":authority": "h.com"})}, {}, b"h.com"),
        ({"headers": operations(set={"Host": "set.com"}, add={"host": "add.com"})}, {}, b"set.com"),
        ({}, {"headers": operations(set={"host": "d.com"})}, b"d.com"),
        ({"headers": operations(set={"Host": "h.com"})}, {"headers": operations(set={"host": "d.com"})}, b"h.com"),
        ({"rewrite": {"authority": "r.com"}}, {"headers": operations(set={"host": "d.com"})}, b"r.com"),
    ],
)
def test_host_is_a_rewrite_and_no_header(
    http: dict[str, Any], own: dict[str, Any], expected: bytes, build: Build, ask: Ask
) -> None:
    for route in (
        [{"destination": DESTINATION, **own}],
        [{"destination": DESTINATION, "weight": 1, **own}, {"destination": DESTINATION, "weight": 1, **own}],
    ):
        decision = build([{**http, "route": route}]).route(ask("/", "example.com:80"), 0)
        assert decision.request is not None
        assert (decision.request.authority, decision.request.headers) == (expected, ())


def test_response_operations_are_for_the_primarys_response(build: Build, ask: Ask) -> None:
    own = {"response": {"set": {"x-s": "dest"}, "add": {"vary": "dest"}}}
    destination = {"destination": DESTINATION, "weight": 1, "headers": own}
    table = build(
        [
            {
                "headers": {"response": {"set": {"x-s": "route"}, "remove": ["server"]}},
                "route": [destination, destination],
            }
        ]
    )
    decision = table.route(ask(), 0)
    fields: tuple[tuple[bytes, bytes], ...] = ((b"Server", b"x"), (b"Vary", b"a"), (b"k", b"v"))
    for edit in decision.response_headers:
        fields = edit.apply(fields)
    assert fields == ((b"Vary", b"a,dest"), (b"k", b"v"), (b"x-s", b"route"))
    assert decision.request is not None
    assert decision.request.headers == ()
