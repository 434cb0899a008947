from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.admission.gate import AdmissionGate
from mirror_addon.dispatch.counters import Counters
from mirror_addon.istio.mirror_annotations import MirrorAnnotations
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import parse_settings
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.decision import Request
from mirror_addon.routing.decision import Rule

OWN = b"192.0.2.1"
V2 = Endpoint("127.0.0.1", 9002)


def gate(**options: Any) -> AdmissionGate:
    values = {option.name: option.default for option in OPTIONS} | {f"mirror_{k}": v for k, v in options.items()}
    return AdmissionGate(parse_settings(values), Counters(), OWN, started=0.0)


def request(**kwargs: Any) -> Request:
    return Request(
        **{"method": b"GET", "scheme": b"http", "authority": b"a.test", "path": b"/", "headers": (), "port": 80}
        | kwargs
    )


def mirror(endpoint: Endpoint | None = V2, *, sampled: bool = True, skipped: str | None = None) -> Mirror:
    cluster = Cluster("b.default.svc.cluster.local", "v2", 80, (endpoint,) if endpoint else (), label="b/v2")
    return Mirror(cluster, endpoint, 100, sampled, skipped)


def test_a_sampled_mirror_with_an_endpoint_is_due() -> None:
    assert gate().reason_to_skip(request(), mirror()) is None


@pytest.mark.parametrize(
    ("options", "asked", "each", "reason"),
    [
        ({}, {}, mirror(sampled=False), "percent"),
        ({}, {}, mirror(None, skipped="no_endpoint"), "no_endpoint"),
        ({}, {}, mirror(None), "no_endpoint"),
        ({}, {}, mirror(skipped="local_reply"), "local_reply"),
        ({"enabled": False}, {}, mirror(), "paused"),
        ({"methods": "safe"}, {"method": b"POST"}, mirror(), "method"),
        ({"expires": "1s"}, {}, mirror(), "expired"),
        ({"expires": "2001-01-01T00:00:00Z"}, {}, mirror(), "expired"),
        ({}, {"authority": b"a.test-shadow:8080"}, mirror(), "loop"),
        ({}, {"authority": b"a-shadow.test-shadow"}, mirror(), "loop"),
        ({"host_suffix": "-Copy"}, {"authority": b"a.test-COPY"}, mirror(), "loop"),
        ({"host_suffix": ""}, {"headers": ((b"X-Forwarded-For", b"10.0.0.1," + OWN),)}, mirror(), "loop"),
        ({}, {"headers": ((b"X-Forwarded-For", b"10.0.0.1, " + OWN),)}, mirror(), "loop"),
        ({}, {"headers": ((b"X-Forwarded-For", b"10.0.0.1"), (b"x-forwarded-for", OWN))}, mirror(), "loop"),
        ({"use_remote_address": False}, {"headers": ((b"X-Forwarded-For", OWN),)}, mirror(), "loop"),
    ],
)
def test_reasons(options: dict[str, Any], asked: dict[str, Any], each: Mirror, reason: str) -> None:
    assert gate(**options).reason_to_skip(request(**asked), each) == reason


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({"methods": "safe"}, {"method": b"HEAD"}),
        ({"expires": "2999-01-01T00:00:00Z"}, {}),
        ({}, {"authority": b"my-shadow-service.test"}),
        ({}, {"headers": ((b"X-Forwarded-For", OWN),)}),
        ({"host_suffix": ""}, {"authority": b"a.test-shadow"}),
        ({"host_suffix": ""}, {"headers": ((b"X-Forwarded-For", OWN + b",10.0.0.1"),)}),
        ({}, {"headers": ((b"X-Custom", b"10.0.0.1," + OWN), (b"X-Forwarded-Was", b"10.0.0.1," + OWN))}),
    ],
)
def test_no_reason(options: dict[str, Any], asked: dict[str, Any]) -> None:
    assert gate(**options).reason_to_skip(request(**asked), mirror()) is None


@pytest.mark.parametrize(
    ("expires", "expired"), [("", False), ("1s", True), ("2001-01-01T00:00:00Z", True), ("2999-01-01T00:00:00Z", False)]
)
def test_whether_the_run_has_expired(expires: str, expired: bool) -> None:
    assert gate(expires=expires).expired is expired


def test_pause_and_resume() -> None:
    state = gate()
    state.paused = True
    assert state.reason_to_skip(request(), mirror()) == "paused"
    state.paused = False
    assert state.reason_to_skip(request(), mirror()) is None


@pytest.mark.parametrize(
    ("listen", "endpoint", "loops"),
    [
        (("127.0.0.1", 9002), Endpoint("127.0.0.1", 9002), True),
        (("127.0.0.1", 9002), Endpoint("localhost", 9002), True),
        (("", 9002), Endpoint("127.0.0.1", 9002), True),
        (("::", 9002), Endpoint("::1", 9002), True),
        (("0.0.0.0", 9002), Endpoint(OWN.decode(), 9002), True),
        (("127.0.0.1", 9003), Endpoint("127.0.0.1", 9002), False),
        (("192.0.2.7", 9002), Endpoint("192.0.2.7", 9002), True),
        (("192.0.2.7", 9002), Endpoint("localhost", 9002), False),
        (("", 9002), Endpoint("192.0.2.9", 9002), False),
    ],
)
def test_own_listeners_are_no_mirror(listen: tuple[str, int], endpoint: Endpoint, loops: bool) -> None:
    state = gate()
    state.listen([listen])
    assert state.reason_to_skip(request(), mirror(endpoint)) == ("loop" if loops else None)


def test_due_counts_the_others() -> None:
    state = gate()
    wanted = mirror()
    decision = Decision(Action.ROUTE, mirrors=(mirror(sampled=False), wanted, mirror(None, skipped="no_endpoint")))
    assert state.due(request(), decision) == [wanted]
    skipped = state.counters.targets["b/v2"].skipped
    assert dict(skipped) == {"percent": 1, "no_endpoint": 1}
    assert state.due(request(), decision, instead="upgrade") == []
    assert dict(skipped) == {"percent": 2, "no_endpoint": 2, "upgrade": 1}


def test_options_applied_later_hold_for_the_next_request() -> None:
    state = gate()
    values = {option.name: option.default for option in OPTIONS} | {"mirror_methods": "safe"}
    state.apply(parse_settings(values))
    assert state.reason_to_skip(request(method=b"PUT"), mirror()) == "method"


def annotated(**annotations: Any) -> Mirror:
    made = mirror()
    made.annotations = MirrorAnnotations(**annotations)
    return made


@pytest.mark.parametrize(
    ("annotations", "reason"),
    [
        ({}, None),
        ({"expires": 1.0}, "expired"),
        ({"expires": 1e12}, None),
        ({"active": (1.0, 2.0)}, "inactive"),
        ({"active": (1.0, 1e12)}, None),
    ],
)
def test_annotations_end_a_mirror(annotations: dict[str, Any], reason: str | None) -> None:
    assert gate().reason_to_skip(request(), annotated(**annotations)) == reason


def test_limits_count_what_is_due_and_nothing_else() -> None:
    state = gate()
    rule = Rule("default/a", "http[0]", "", "")
    due = Decision(Action.ROUTE, rule, mirrors=(annotated(max_requests=2),))
    assert state.due(request(), due, instead="upgrade") == []
    state.paused = True
    assert state.due(request(), due) == []
    state.paused = False
    assert [len(state.due(request(), due)) for _ in range(3)] == [1, 1, 0]
    assert dict(state.counters.items())["b/v2.skipped.max_requests"] == 1
