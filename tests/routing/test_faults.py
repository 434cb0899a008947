from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import LocalResponse
from mirror_addon.routing.decision import Request
from mirror_addon.routing.table import RouteTable

Build = Callable[..., RouteTable]
Ask = Callable[..., Request]
ALL = {"value": 100}
TEXT = ((b"content-type", b"text/plain"),)
GRPC = ("content-type", "application/grpc")


def decide(build: Build, ask: Ask, to_v1: Any, fault: dict[str, Any], *headers: tuple[str, str], **http: Any) -> Any:
    return build([{"fault": fault, "route": to_v1, **http}]).route(ask("/", "example.com", *headers), 1)


def test_delay(build: Build, ask: Ask, to_v1: Any) -> None:
    decision = decide(build, ask, to_v1, {"delay": {"fixedDelay": "250ms", "percentage": ALL}})
    assert (decision.action, decision.delay) == (Action.ROUTE, 0.25)


@pytest.mark.parametrize(
    ("delay", "share"),
    [
        ({"fixedDelay": "1s"}, 0.0),
        ({"fixedDelay": "1s", "percent": 30}, 0.3),
        ({"fixedDelay": "1s", "percentage": {"value": 30}}, 0.3),
        ({"fixedDelay": "1s", "percentage": {"value": 0}, "percent": 100}, 0.0),
    ],
)
def test_a_missing_percentage_means_never(
    delay: dict[str, Any], share: float, build: Build, ask: Ask, to_v1: Any
) -> None:
    table = build([{"fault": {"delay": delay}, "route": to_v1}])
    delayed = sum(table.route(ask(), draw).delay == 1.0 for draw in range(2000))
    assert delayed / 2000 == pytest.approx(share, abs=0.05)


def test_abort(build: Build, ask: Ask, to_v1: Any) -> None:
    decision = decide(build, ask, to_v1, {"abort": {"httpStatus": 418, "percentage": ALL}})
    assert decision.action is Action.FAULT_ABORT
    assert decision.response == LocalResponse(418, TEXT, b"fault filter abort")
    assert (decision.endpoint, decision.request) == (None, None)


def test_abort_without_percentage_is_never(build: Build, ask: Ask, to_v1: Any) -> None:
    assert decide(build, ask, to_v1, {"abort": {"httpStatus": 418}}).action is Action.ROUTE


def test_abort_without_error_type_is_never(build: Build, ask: Ask, to_v1: Any) -> None:
    assert decide(build, ask, to_v1, {"abort": {"percentage": ALL}}).action is Action.ROUTE


def test_grpc_status_for_others_is_200_without_it(build: Build, ask: Ask, to_v1: Any) -> None:
    decision = decide(build, ask, to_v1, {"abort": {"grpcStatus": "UNAVAILABLE", "percentage": ALL}})
    assert decision.response == LocalResponse(200, TEXT, b"fault filter abort")


@pytest.mark.parametrize(
    ("abort", "status"),
    [({"grpcStatus": "UNAVAILABLE"}, b"14"), ({"httpStatus": 418}, b"2"), ({"httpStatus": 503}, b"14")],
)
def test_abort_of_grpc(abort: dict[str, Any], status: bytes, build: Build, ask: Ask, to_v1: Any) -> None:
    decision = decide(build, ask, to_v1, {"abort": {**abort, "percentage": ALL}}, GRPC)
    assert decision.response.status == 200
    assert dict(decision.response.headers) == {
        b"content-type": b"application/grpc",
        b"grpc-status": status,
        b"grpc-message": b"fault filter abort",
    }


def test_delay_then_abort(build: Build, ask: Ask, to_v1: Any) -> None:
    fault = {
        "delay": {"fixedDelay": "1s", "percentage": ALL},
        "abort": {"httpStatus": 500, "percentage": ALL},
    }
    decision = decide(build, ask, to_v1, fault)
    assert (decision.action, decision.delay) == (Action.FAULT_ABORT, 1.0)


def test_the_rolls_are_independent_of_each_other_and_of_weights(build: Build, ask: Ask) -> None:
    half = {"value": 50}
    route = [{"destination": {"host": "svc", "subset": subset}, "weight": 50} for subset in ("v1", "v2")]
    fault = {"delay": {"fixedDelay": "1s", "percentage": half}, "abort": {"httpStatus": 500, "percentage": half}}
    table = build([{"fault": fault, "route": route}])
    seen: dict[tuple[bool, bool, bool], int] = {}
    for draw in range(4000):
        decision = table.route(ask(), draw)
        key = (decision.delay > 0, decision.action is Action.FAULT_ABORT, draw % 100 < 50)
        seen[key] = seen.get(key, 0) + 1
    assert len(seen) == 8
    assert min(seen.values()) > 400


@pytest.mark.parametrize(
    "http",
    [
        {"redirect": {"uri": "/x"}, "route": None},
        {"directResponse": {"status": 200}, "route": None},
        {"route": [{"destination": {"host": "nowhere.com"}}]},
        {"corsPolicy": {"allowOrigins": [{"exact": "*"}]}},
    ],
)
def test_faults_come_first(http: dict[str, Any], build: Build, ask: Ask, to_v1: Any) -> None:
    abort = {"abort": {"httpStatus": 418, "percentage": ALL}}
    assert decide(build, ask, to_v1, abort, **http).action is Action.FAULT_ABORT


@pytest.mark.parametrize("headers", [(), (GRPC,)])
@pytest.mark.parametrize("abort", [{"httpStatus": 418}, {"grpcStatus": "NOT_FOUND"}])
def test_response_operations_apply_to_an_abort(headers: Any, abort: dict[str, Any], build: Build, ask: Ask) -> None:
    fault = {"abort": {**abort, "percentage": ALL}}
    own = {"response": {"set": {"x-set": "dest"}, "add": {"x-add": "dest"}}}
    route = [{"destination": {"host": "v1"}, "headers": own}]
    operations = {"response": {"set": {"x-set": "route"}, "add": {"x-add": "route"}}}
    decision = decide(build, ask, route, fault, *headers, headers=operations)
    assert decision.response is not None
    assert [value for name, value in decision.response.headers if name == b"x-set"] == [b"dest"]
    assert [value for name, value in decision.response.headers if name == b"x-add"] == [b"route", b"dest"]
