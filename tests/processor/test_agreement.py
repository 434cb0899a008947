from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mirror_addon.processor.agreement import Agreement
from mirror_addon.processor.agreement import Told
from mirror_addon.processor.agreement import is_named
from mirror_addon.routing.clusters import ORIGINAL_DESTINATION
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.mirror_to import MirrorTo
from mirror_addon.routing.table import RouteTable

Tables = Callable[..., RouteTable]
REQUEST = Request(b"GET", b"http", b"shop.test", b"/x?y", ((b"x-forwarded-for", b"198.51.100.7"),), 80)
V1, V2 = (f"outbound|0||v{number}.default.svc.cluster.local" for number in (1, 2))
WEIGHTS = "default/shop http[4] match[0]"
THREE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: three, namespace: default}
spec:
  hosts: [shop.test]
  http:
  - route:
    - {destination: {host: v1}, weight: 20, headers: {request: {set: {x-n: a}}}}
    - {destination: {host: v2}, weight: 30}
    - {destination: {host: v1}, weight: 50, headers: {request: {set: {x-n: b}}}}
    mirror: {host: m1}
    mirrorPercent: 30
"""


def numbers(count: int = 400) -> list[int]:
    chance = random.Random(7)
    return [chance.getrandbits(64) for _ in range(count)]


def test_the_route_is_the_one_that_envoy_names(tables: Tables) -> None:
    """The request would meet another one: here its path says nothing."""
    agreed = Agreement(tables()).decide(REQUEST, Told("default/shop http[3] match[0]", ""), 5)
    assert str(agreed.decision.rule) == "default/shop http[3]"
    assert (agreed.final, agreed.strange) == (True, "")


def test_the_request_leaves_as_the_router_sends_it(tables: Tables) -> None:
    decision = Agreement(tables()).decide(REQUEST, Told("default/shop http[5]", V1), 5).decision
    assert decision.request == replace(REQUEST, path=b"/served/x?y")  # nothing is appended to X-Forwarded-For
    assert decision.cluster is not None and decision.cluster.label == "v1"
    assert [mirror.cluster.label for mirror in decision.mirrors] == ["m1", "m2"]


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize(("cluster", "low"), [(V1, 0), (V2, 50)])
def test_draws_agree_with_the_cluster_and_the_share(tables: Tables, cluster: str, low: int, sampled: bool) -> None:
    """Weights 50:50 and a mirror at 50 %: Envoy mirrors what goes to v1, and nothing of what goes to v2."""
    agreement = Agreement(tables())
    for number in numbers():
        agreed = agreement.decide(REQUEST, Told(WEIGHTS + " sampled" * (sampled and cluster == V1), cluster), number)
        assert low <= agreed.draw % 100 < low + 50
        assert (agreed.final, agreed.strange) == (True, "")
        assert [mirror.sampled for mirror in agreed.decision.mirrors] == [cluster == V1]
        assert agreed.decision == agreement.decide(REQUEST, Told(WEIGHTS, cluster), number).decision or sampled


def test_draws_are_uniform_among_those_that_agree(tables: Tables) -> None:
    agreement = Agreement(tables(THREE))
    found = [agreement.decide(REQUEST, Told("default/three http[0]", V1), number) for number in numbers(3000)]
    residues = [each.draw % 100 for each in found]
    assert set(residues) == {*range(20), *range(50, 100)}
    assert pytest.approx(sum(each < 20 for each in residues), rel=0.15) == 3000 * 20 / 70
    assert len({each.draw // 100 for each in found}) > 2900
    first = [dict(each.decision.request.headers)[b"x-n"] for each in found if each.decision.request]
    assert [value == b"a" for value in first] == [each < 20 for each in residues]
    mirrored = [each.draw for each in found if each.decision.mirrors[0].sampled]
    assert all(draw % 100 < 30 for draw in mirrored)
    for number in numbers(50):
        agreed = agreement.decide(REQUEST, Told("default/three http[0] sampled", V1), number)
        assert agreed.draw % 100 < 20  # of the share 0-30, the first destination's


def test_a_share_that_does_not_reach_the_cluster_is_other_rules(tables: Tables) -> None:
    agreed = Agreement(tables()).decide(REQUEST, Told(WEIGHTS + " sampled", V2), 5)
    assert agreed.draw % 100 >= 50  # as Envoy chose; the share cannot be kept


def test_without_a_cluster_the_decision_is_not_final(tables: Tables) -> None:
    agreement = Agreement(tables())
    assert not agreement.decide(REQUEST, Told(WEIGHTS), 5).final
    assert agreement.decide(REQUEST, Told("default/shop http[5]"), 5).final


@pytest.mark.parametrize(
    ("route", "cluster", "strange"),
    [
        ("default/other http[0]", V1, "route"),
        ("default/other rules[1] match[0]", V1, "route"),
        ("default", V1, ""),  # Istio's
        ("", "", ""),
        ("default/shop http[5]", V2, "cluster"),
        (WEIGHTS, "outbound|80||gone.default.svc.cluster.local", "cluster"),
    ],
)
def test_other_rules_are_noticed(tables: Tables, route: str, cluster: str, strange: str) -> None:
    agreed = Agreement(tables()).decide(REQUEST, Told(route, cluster), 5)
    assert agreed.strange == strange
    assert agreed.decision.mirrors


@pytest.mark.parametrize(
    ("path", "action"),
    [(b"/gone", Action.DIRECT_RESPONSE), (b"/x", Action.ROUTE)],
)
def test_by_the_rules(tables: Tables, path: bytes, action: Action) -> None:
    agreed = Agreement(tables()).decide(replace(REQUEST, path=path), Told(), 5)
    assert agreed.decision.action is action


def test_hosts_and_paths_without_a_rule(tables: Tables) -> None:
    agreement = Agreement(tables(THREE.replace("- route:", "- match: [{uri: {prefix: /a}}]\n    route:")))
    assert agreement.decide(REQUEST, Told(), 5).decision.action is Action.NOT_FOUND
    other = replace(REQUEST, authority=b"other.test")
    assert agreement.decide(other, Told(), 5).decision.action is Action.PASSTHROUGH


def test_passthrough() -> None:
    table = RouteTable.build((), Identity(), mirror_to=[MirrorTo("http", "127.0.0.1", 9)])
    agreed = Agreement(table).decide(REQUEST, Told("passthrough", "original_destination"), 5)
    assert agreed.decision.action is Action.PASSTHROUGH
    assert [mirror.cluster.label for mirror in agreed.decision.mirrors] == ["127.0.0.1:9"]


def test_an_inbound_request_is_finished(tables: Tables) -> None:
    agreed = Agreement(tables()).decide(REQUEST, Told("default", "inbound|8080||"), 5)
    assert (agreed.decision.request, agreed.final, agreed.strange) == (REQUEST, True, "")


def test_mesh_headers_of_the_router(tables: Tables) -> None:
    agreed = Agreement(tables(mesh_headers=True)).decide(REQUEST, Told("default/shop http[5]", V1), 5)
    assert agreed.decision.request is not None
    assert dict(agreed.decision.request.headers)[b"x-envoy-original-path"] == b"/x?y"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("outbound|80|s|a.test", True),
        ("outbound|0|s|a.test", True),
        ("outbound|81|s|a.test", False),
        ("outbound|80||a.test", False),
        ("missing|80||a.test", True),
        ("original_destination", False),
        ("PassthroughCluster", False),
    ],
)
def test_names_of_clusters(name: str, found: bool) -> None:
    assert is_named(Cluster("a.test", "s", 80, (Endpoint("127.0.0.1", 1),)), name) is found


def test_the_original_destination() -> None:
    assert is_named(Cluster("a.test", "", 80, (ORIGINAL_DESTINATION,)), "original_destination_tls")
    made: Any = Cluster("a.test", "", 80, (), resolves_request_host=True)
    assert is_named(made, "original_destination")
