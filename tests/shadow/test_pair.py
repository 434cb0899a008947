from __future__ import annotations

from pairtools import in_flight
from pairtools import pair_of
from pairtools import primary_flow
from pairtools import result_of
from pairtools import shadow_request

from mirror_addon.commands.terminal import Terminal
from mirror_addon.shadow.pair import PairObserver
from mirror_addon.shadow_flows.flow_list import ShadowFlows
from mirror_addon.statistics.pair_statistics import PairStatistics


def test_a_pair_without_a_view_is_shown_nowhere() -> None:
    """Lists of flows get every pair, also those that began before there was a list."""
    primary = primary_flow()
    request = shadow_request(primary)
    pair = pair_of(primary, result_of(request), shadow=in_flight(primary, request))
    assert pair.view is None
    ShadowFlows(1).pair(pair)
    assert primary.metadata == {}


def test_observers_of_one_pair() -> None:
    statistics = PairStatistics()
    observers: list[PairObserver] = [statistics, Terminal(), ShadowFlows(1)]
    primary = primary_flow()
    pair = pair_of(primary, result_of(shadow_request(primary)))
    for observer in observers:
        observer.pair(pair)
    assert pair.comparison is not None and pair.comparison.verdict == "different"
    assert statistics.targets["b/v2"].statuses == {200: 1}
