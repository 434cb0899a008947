from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.in_flight import State
from mirror_addon.mirroring.observed_request import ObservedRequest
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.decision import Rule
from mirror_addon.shadow.pair import Pair
from mirror_addon.shadow.result import ShadowResult

REQUEST = Request(b"GET", b"http", b"a.test", b"/x", (), 80)
DECISION = Decision(
    Action.ROUTE, Rule("default/a", "http[0]", "", ""), cluster=Cluster("v1", "", 80, (), label="v1"), request=REQUEST
)


class Broken:
    def pair(self, pair: Pair) -> None:
        raise RuntimeError("no")


class Kept:
    def __init__(self) -> None:
        self.pairs: list[Pair] = []

    def pair(self, pair: Pair) -> None:
        self.pairs.append(pair)


def end(observers: Any) -> None:
    book = InFlight()
    primary = ObservedRequest("id", None, REQUEST, DECISION, observers)
    shadow = book.admit(primary, "v2")
    primary.status, primary.ms = 200, 1.5
    book.end(shadow, State.SENT, ShadowResult(shadow.id, "v2", "sent", "", status=201))
    book.answered(primary)


def test_a_pair_has_both_sides(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    end((Broken(), kept))
    (pair,) = kept.pairs
    assert (pair.flow_id, pair.rule, pair.route, pair.target) == ("id", "default/a http[0]", "v1", "v2")
    assert (pair.method, pair.url, pair.primary_status, pair.primary_ms) == ("GET", "http://a.test/x", 200, 1.5)
    assert pair.result.status == 201
    assert "Broken: RuntimeError: no" in caplog.text


def test_nothing_is_made_for_nobody() -> None:
    end(())
