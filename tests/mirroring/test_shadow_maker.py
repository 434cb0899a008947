from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.admission.gate import AdmissionGate
from mirror_addon.dispatch.counters import Counters
from mirror_addon.flows.exchange import Exchange
from mirror_addon.mirroring.shadow_maker import ShadowMaker
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import Settings
from mirror_addon.options.settings import parse_settings
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable
from mirror_addon.shadow.request import ShadowRequest

OWN = b"192.0.2.1"
V1, V2 = (
    Cluster("b", name, 80, (Endpoint("127.0.0.1", port),), label=f"b/{name}") for name, port in (("v1", 1), ("v2", 2))
)


def settings(**options: Any) -> Settings:
    return parse_settings(
        {each.name: each.default for each in OPTIONS} | {f"mirror_{k}": v for k, v in options.items()}
    )


def mirror(cluster: Cluster, timeout: float | None = None) -> Mirror:
    return Mirror(cluster, cluster.endpoints[0], 100, True, None, timeout)


def exchange(method: bytes = b"GET", *mirrors: Mirror) -> Exchange:
    request = Request(method, b"http", b"b.test", b"/x", (), 80)
    decision = Decision(
        Action.ROUTE, cluster=V1, endpoint=V1.endpoints[0], request=request, mirrors=mirrors or (mirror(V2),)
    )
    return Exchange(RouteTable.build((), Identity()), request, 1, decision)


def control(given: Exchange, body: int | None = 0, share: str = "100%", listens: int = 9) -> ShadowRequest | None:
    chosen = settings(control=share)
    gate = AdmissionGate(chosen, Counters(), OWN, 0.0)
    gate.listen([("127.0.0.1", listens)])
    return ShadowMaker(chosen, OWN).control(given, mirror(V2, 3.0), body, gate)


def test_a_shadow_has_suffix_and_hop() -> None:
    maker = ShadowMaker(settings(timeout="7s"), OWN)
    shadow = maker.shadow(exchange(), mirror(V2), 0)
    assert (shadow.authority, shadow.headers, shadow.timeout) == (b"b.test-shadow", ((b"x-forwarded-for", OWN),), 7)
    maker.apply(settings(host_suffix=""))
    assert maker.shadow(exchange(), mirror(V2), 0).authority == b"b.test"


def test_the_primary_is_asked_again() -> None:
    again = control(exchange())
    assert again is not None
    assert (again.authority, again.headers, again.target.label, again.timeout) == (b"b.test", (), "control:b/v1", 3.0)
    assert control(exchange(b"HEAD")) is not None


@pytest.mark.parametrize(
    "asked",
    [
        {"given": exchange(b"POST")},
        {"given": exchange(b"OPTIONS")},
        {"given": exchange(), "body": 1},
        {"given": exchange(), "body": None},
        {"given": exchange(), "share": "0%"},
        {"given": exchange(b"GET", mirror(V2), mirror(V1))},
        {"given": exchange(), "listens": 1},
    ],
)
def test_and_is_not(asked: dict[str, Any]) -> None:
    assert control(**asked) is None


def test_for_the_share_that_was_asked_for() -> None:
    asked = sum(control(exchange(), share="20%") is not None for _ in range(500))
    assert 40 < asked < 170  # 6.7 standard deviations: wrong once in 10**10 runs


def test_a_shadow_that_cannot_be_made_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    class Dispatcher:
        refused: list[tuple[Any, str]] = []

        def refuse(self, shadow: Any, reason: str) -> None:
            self.refused.append((shadow, reason))

    maker, dispatcher, shadow = ShadowMaker(settings(), OWN), Dispatcher(), object()
    made = maker.made(dispatcher, exchange(), shadow, mirror(V2), 0)  # type: ignore[arg-type]
    assert made is not None and made.authority == b"b.test-shadow"
    assert maker.made(dispatcher, exchange(), shadow, made, 0) is made  # type: ignore[arg-type]
    assert maker.made(dispatcher, exchange(), shadow, None, 0) is None  # type: ignore[arg-type]
    assert dispatcher.refused == [(shadow, "unsendable")] and "a shadow was not made" in caplog.text
