from __future__ import annotations

from mitmproxy.test import tflow

from mirror_addon.flows.exchange import Exchange
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable
from mirror_addon.rules.live import LiveRules
from mirror_addon.session import Session


def test_nothing_is_shared_between_runs() -> None:
    """A script that is loaded anew makes another session while flows of the one before are on their way."""
    before, after = (Session(b"192.0.2.1", LiveRules(b"192.0.2.1")) for _ in range(2))
    assert before.writer is after.writer is None
    flow = tflow.tflow()
    request = Request(b"GET", b"http", b"b.test", b"/", (), 80)
    table = RouteTable.build((), Identity())
    before.exchanges[flow] = Exchange(table, request, 1, Decision(Action.PASSTHROUGH))
    assert after.exchanges.get(flow) is None
    assert before.statistics is not after.statistics
    assert before.comparison is not after.comparison
