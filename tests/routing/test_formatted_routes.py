"""Routes with operators in header values. Real Envoy is asked in `tests/live/envoytools/curated/formatted.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Request
from mirror_addon.routing.formatted_routes import FormattedRoute
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.trace import explain

Build = Callable[..., RouteTable]
Ask = Callable[..., Request]
V1 = {"host": "svc", "subset": "v1"}
HEADERS = {
    "request": {"set": {"a": "%REQ(x)%-new", "x": "%REQ(x)%!", "none": "%REQ(no)%"}, "add": {"accept": "%REQ(x)%"}},
    "response": {"set": {"r": "%REQ(x)%", "s": "%RESPONSE_CODE%"}, "add": {"t": "fixed"}},
}


def test_request_and_response(build: Build, ask: Ask) -> None:
    table = build([{"route": [{"destination": V1}], "headers": HEADERS, "rewrite": {"uri": "/new"}}])
    assert table.wants_facts
    decision = table.route(ask("/", "example.com", ("x", "1"), ("none", "kept"), ("Accept", "b")), 0)
    assert decision.request is not None
    assert decision.request.headers == (
        (b"none", b"kept"), (b"Accept", b"b,1"), (b"a", b"1-new"), (b"x", b"1!"),
    )  # fmt: skip
    fields: Any = ((b"r", b"upstream"),)
    for edit in decision.response_headers:
        fields = edit.apply(fields, 203)
    assert fields == ((b"r", b"1!"), (b"s", b"203"), (b"t", b"fixed"))


def test_several_destinations_each_with_its_own(build: Build, ask: Ask) -> None:
    own = {"request": {"set": {"d": "%REQ(x)%"}}, "response": {"set": {"d": "%REQ(x)%"}}}
    route = [
        {"destination": V1, "weight": 50, "headers": own},
        {"destination": {"host": "svc", "subset": "v2"}, "weight": 50},
    ]
    table = build([{"route": route, "headers": {"response": {"set": {"r": "static"}}}}])
    first, second = (table.route(ask("/", "example.com", ("x", "1")), draw) for draw in (0, 99))
    assert first.request is not None
    assert second.request is not None
    assert (first.request.headers, second.request.headers) == (((b"x", b"1"), (b"d", b"1")), ((b"x", b"1"),))
    assert [len(decision.response_headers) for decision in (first, second)] == [2, 1]


@pytest.mark.parametrize(
    ("rule", "action"),
    [
        ({"directResponse": {"status": 201}}, Action.DIRECT_RESPONSE),
        ({"redirect": {"uri": "/n"}}, Action.REDIRECT),
        ({"route": [{"destination": {"host": "svc", "subset": "v3"}}], "rewrite": {"uri": "/n"}}, Action.UNAVAILABLE),
        ({"route": [{"destination": {"host": "svc", "subset": "v3"}}]}, Action.UNAVAILABLE),
        (
            {
                "route": [{"destination": V1}],
                "fault": {"abort": {"httpStatus": 418, "percentage": {"value": 100}}},
            },
            Action.FAULT_ABORT,
        ),
    ],
)
def test_local_replies(rule: dict[str, Any], action: Action, build: Build, ask: Ask) -> None:
    headers = {"response": {"set": {"r": "%REQ(x)%"}}}
    decision = build([{**rule, "headers": headers}]).route(ask("/", "example.com", ("x", "1")), 0)
    assert decision.action is action
    assert decision.response is not None
    assert dict(decision.response.headers)[b"r"] == b"1"


def test_no_destination(build: Build, ask: Ask) -> None:
    route = [{"destination": V1, "weight": 0}, {"destination": V1, "weight": 0}]
    headers = {"response": {"set": {"r": "%REQ(x)%"}}}
    assert build([{"route": route, "headers": headers}]).route(ask(), 0).action is Action.UNAVAILABLE


def test_other_routes_do_not_pay(build: Build, ask: Ask) -> None:
    table = build([{"route": [{"destination": V1}], "headers": {"request": {"set": {"a": "100%%"}}}}])
    host = table.virtual_host(ask())
    assert host is not None
    assert not table.wants_facts
    assert not any(isinstance(entry.route, FormattedRoute) for each in host.services for entry in each.entries)


def test_a_trace_has_the_values_as_written(build: Build, ask: Ask) -> None:
    table = build([{"route": [{"destination": V1}], "headers": HEADERS}])
    assert "request header: set a: %REQ(x)%-new" in explain(table, ask(), 0)
