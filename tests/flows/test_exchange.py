from __future__ import annotations

import gc

import pytest
from mitmproxy.test import tflow

from mirror_addon.flows.exchange import Exchange
from mirror_addon.flows.exchange import Exchanges
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

REQUEST = Request(b"GET", b"http", b"b.test", b"/x", (), 80)


def exchange(table: RouteTable) -> Exchange:
    return Exchange(table, REQUEST, 1, Decision(Action.PASSTHROUGH))


def test_a_table_is_not_kept_by_its_exchanges() -> None:
    table: RouteTable | None = RouteTable.build((), Identity())
    assert table is not None
    made = exchange(table)
    assert made.table is table
    table = None
    gc.collect()
    assert made.table is None


def test_a_new_exchange_has_no_shadows_yet() -> None:
    made = exchange(RouteTable.build((), Identity()))
    assert (made.settled, made.uploads, made.answer_fields) == (False, None, None)


def test_the_exchange_of_a_flow() -> None:
    exchanges, flow, other = Exchanges(), tflow.tflow(), tflow.tflow()
    exchanges[flow] = made = exchange(RouteTable.build((), Identity()))
    assert exchanges[flow] is exchanges.get(flow) is made
    assert exchanges.get(other) is None
    with pytest.raises(KeyError):
        exchanges[other]


def test_an_addon_does_not_find_the_exchanges_of_another() -> None:
    """After a reload of the script, flows of the addon before are still on their way."""
    flow = tflow.tflow()
    before, after = Exchanges(), Exchanges()
    before[flow] = exchange(RouteTable.build((), Identity()))
    assert after.get(flow) is None
    after[flow] = newer = exchange(RouteTable.build((), Identity()))
    assert after[flow] is newer is not before[flow]


def test_a_copy_of_a_flow_has_no_exchange() -> None:
    """A flow that is duplicated or read from a file was not routed."""
    exchanges, flow = Exchanges(), tflow.tflow()
    exchanges[flow] = exchange(RouteTable.build((), Identity()))
    assert exchanges.get(flow.copy()) is None
