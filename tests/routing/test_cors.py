"""Every response here was measured with Envoy 1.40."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Request
from mirror_addon.routing.table import RouteTable

Build = Callable[..., RouteTable]
Ask = Callable[..., Request]

POLICY = {
    "allowOrigins": [{"exact": "http://o"}],
    "allowMethods": ["GET", "POST"],
    "allowHeaders": ["a", "b"],
    "exposeHeaders": ["x", "y"],
    "maxAge": "5s",
    "allowCredentials": True,
}
WANTS = (("access-control-request-method", "PUT"), ("access-control-request-headers", "q,r"))


def decide(
    build: Build, ask: Ask, to_v1: Any, policy: dict[str, Any], *headers: tuple[str, str], **request: Any
) -> Any:
    return build([{"corsPolicy": policy, "route": to_v1}]).route(ask("/", "example.com", *headers, **request), 0)


def preflight(build: Build, ask: Ask, to_v1: Any, policy: dict[str, Any], origin: str = "http://o") -> Any:
    return decide(build, ask, to_v1, policy, ("Origin", origin), *WANTS, method="OPTIONS")


def test_preflight(build: Build, ask: Ask, to_v1: Any) -> None:
    decision = preflight(build, ask, to_v1, POLICY)
    assert decision.action is Action.CORS_PREFLIGHT
    assert (decision.response.status, decision.response.body) == (200, b"")
    assert dict(decision.response.headers) == {
        b"access-control-allow-origin": b"http://o",
        b"access-control-allow-credentials": b"true",
        b"access-control-allow-methods": b"GET,POST",
        b"access-control-allow-headers": b"a,b",
        b"access-control-expose-headers": b"x,y",
        b"access-control-max-age": b"5",
    }


def test_a_star_answers_with_what_was_asked(build: Build, ask: Ask, to_v1: Any) -> None:
    policy = {"allowOrigins": [{"exact": "*"}], "allowMethods": ["*"], "allowHeaders": ["*"]}
    assert dict(preflight(build, ask, to_v1, policy).response.headers) == {
        b"access-control-allow-origin": b"http://o",
        b"access-control-allow-methods": b"PUT",
        b"access-control-allow-headers": b"q,r",
    }


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        ({"allowOrigins": [{"prefix": "http://a"}]}, "http://abc", True),
        ({"allowOrigins": [{"regex": "http://[ab]"}]}, "http://b", True),
        ({"allowOrigins": [{"regex": "http://[ab]"}]}, "http://bc", False),
        ({"allowOrigins": [{"exact": "x"}, {"exact": "y"}]}, "y", True),
        ({"allowOrigin": ["http://o"]}, "http://o", True),
        ({"allowOrigin": ["*"]}, "http://o", True),
        ({"allowOrigin": ["http://o"], "allowOrigins": [{"exact": "z"}]}, "http://o", False),
    ],
)
def test_origins(origins: dict[str, Any], origin: str, allowed: bool, build: Build, ask: Ask, to_v1: Any) -> None:
    decision = preflight(build, ask, to_v1, origins, origin)
    assert decision.action is (Action.CORS_PREFLIGHT if allowed else Action.ROUTE)


@pytest.mark.parametrize(
    ("unmatched", "action"),
    [("UNSPECIFIED", Action.ROUTE), ("FORWARD", Action.ROUTE), ("IGNORE", Action.CORS_PREFLIGHT)],
)
def test_preflights_of_other_origins(unmatched: str, action: Action, build: Build, ask: Ask, to_v1: Any) -> None:
    decision = preflight(build, ask, to_v1, {**POLICY, "unmatchedPreflights": unmatched}, "http://bad")
    assert decision.action is action
    if action is Action.CORS_PREFLIGHT:
        assert decision.response.status == 200
        assert dict(decision.response.headers) == {  # all but what grants the origin anything
            b"access-control-allow-credentials": b"true",
            b"access-control-allow-methods": b"GET,POST",
            b"access-control-allow-headers": b"a,b",
            b"access-control-max-age": b"5",
        }


@pytest.mark.parametrize(
    ("headers", "method"),
    [((WANTS[0],), "OPTIONS"), ((("origin", "http://o"),), "OPTIONS"), ((("origin", "http://o"), *WANTS), "GET")],
)
def test_what_is_no_preflight(headers: Any, method: str, build: Build, ask: Ask, to_v1: Any) -> None:
    assert decide(build, ask, to_v1, POLICY, *headers, method=method).action is Action.ROUTE


def test_actual_responses_are_marked(build: Build, ask: Ask, to_v1: Any) -> None:
    decision = decide(build, ask, to_v1, POLICY, ("origin", "http://o"))
    (edit,) = decision.response_headers
    assert edit.apply(((b"Access-Control-Allow-Origin", b"upstream"), (b"k", b"v"))) == (
        (b"k", b"v"),
        (b"access-control-allow-origin", b"http://o"),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", b"x,y"),
    )
    assert decide(build, ask, to_v1, POLICY, ("origin", "http://bad")).response_headers == ()
    assert decide(build, ask, to_v1, POLICY).response_headers == ()


def test_an_answer_for_a_missing_endpoint_is_marked_too(build: Build, ask: Ask) -> None:
    to_v3 = [{"destination": {"host": "svc", "subset": "v3"}}]
    decision = decide(build, ask, to_v3, POLICY, ("origin", "http://o"))
    assert decision.action is Action.UNAVAILABLE
    assert dict(decision.response.headers)[b"access-control-allow-origin"] == b"http://o"


def test_direct_responses_and_redirects_know_no_cors(build: Build, ask: Ask) -> None:
    for http in ({"directResponse": {"status": 299}}, {"redirect": {"uri": "/x"}}):
        table = build([{"corsPolicy": POLICY, **http}])
        decision = table.route(ask("/", "example.com", ("origin", "http://o"), *WANTS, method="OPTIONS"), 0)
        assert decision.action in (Action.DIRECT_RESPONSE, Action.REDIRECT)
        assert decision.response is not None
        assert b"access-control-allow-origin" not in dict(decision.response.headers)


@pytest.mark.parametrize(
    ("policy", "names"),
    [
        ({}, {b"access-control-allow-origin"}),
        ({"allowCredentials": True}, {b"access-control-allow-origin", b"access-control-allow-credentials"}),
        ({"exposeHeaders": ["a"]}, {b"access-control-allow-origin", b"access-control-expose-headers"}),
    ],
)
def test_only_what_the_policy_has_is_added_to_a_response(
    policy: dict[str, Any], names: set[bytes], build: Build, ask: Ask, to_v1: Any
) -> None:
    (edit,) = decide(build, ask, to_v1, {"allowOrigin": ["*"], **policy}, ("origin", "http://o")).response_headers
    assert {name for name, _ in edit.apply(())} == names
