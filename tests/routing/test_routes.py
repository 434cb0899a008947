from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

Build = Callable[..., RouteTable]
Ask = Callable[..., Request]


def to(subset: str, weight: int | None = None) -> dict[str, Any]:
    destination = {"destination": {"host": "svc", "subset": subset}}
    return destination if weight is None else {**destination, "weight": weight}


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ([to("v1")], {"v1": 100}),
        ([to("v1", 0)], {"v1": 100}),
        ([to("v1", 7)], {"v1": 100}),
        ([to("v1", 90), to("v2", 10)], {"v1": 90, "v2": 10}),
        ([to("v1", 1), to("v2", 3)], {"v1": 25, "v2": 75}),
        ([to("v1", 100), to("v2")], {"v1": 100}),
        ([to("v1"), to("v2", 100)], {"v2": 100}),
        ([to("v1", 50), to("v2", 0), to("v1", 50)], {"v1": 100}),
    ],
)
def test_weights(route: Any, expected: dict[str, int], build: Build, ask: Ask) -> None:
    table = build([{"route": route}])
    clusters = [table.route(ask(), draw).cluster for draw in range(100)]
    assert Counter(cluster.subset for cluster in clusters if cluster) == expected


def test_the_first_destination_owns_the_first_interval(build: Build, ask: Ask) -> None:
    table = build([{"route": [to("v1", 30), to("v2", 70)]}])
    for draw, subset in ((0, "v1"), (29, "v1"), (30, "v2"), (99, "v2"), (100, "v1"), (2**64 - 1, "v1")):
        cluster = table.route(ask(), draw).cluster
        assert cluster is not None
        assert cluster.subset == subset


def test_no_weight_at_all_is_unavailable(build: Build, ask: Ask) -> None:
    decision = build([{"route": [to("v1", 0), to("v2", 0)]}]).route(ask(), 0)
    assert decision.action is Action.UNAVAILABLE
    assert decision.response is not None
    assert b"weight above zero" in decision.response.body


@pytest.mark.parametrize(
    ("destination", "said"),
    [
        ({"host": "svc", "subset": "v3"}, (b"svc/v3", b"version=v3", b"mirror_endpoints=svc/v3=ADDRESS:PORT")),
        ({"host": "svc", "subset": "v9"}, (b"svc/v9", b"no DestinationRule declares subset v9")),
        ({"host": "svc", "subset": "v11"}, (b"subset v11 of svc.default.svc.cluster.local; it has: ", b"mean v1?")),
        ({"host": "other"}, (b"no ServiceEntry or Service declares other.default.svc.cluster.local",)),
        ({"host": "other"}, (b"endpoints in a ServiceEntry for other.default.svc.cluster.local",)),
        ({"host": "svc", "port": {"number": 81}}, (b"has no port 81; it has: 80",)),
    ],
)
def test_a_destination_without_endpoints_says_what_gives_one(
    destination: Any, said: tuple[bytes, ...], build: Build, ask: Ask
) -> None:
    decision = build([{"route": [{"destination": destination}]}]).route(ask(), 0)
    assert decision.action is Action.UNAVAILABLE
    assert decision.response is not None
    assert decision.response.status == 503
    assert decision.cluster is not None
    assert (decision.endpoint, decision.request) == (None, None)
    for text in said:
        assert text in decision.response.body


def test_response_operations_apply_to_it(build: Build, ask: Ask) -> None:
    table = build([{"route": [to("v3")], "headers": {"response": {"set": {"x-r": "1"}}}}])
    response = table.route(ask(), 0).response
    assert response is not None
    assert response.headers == ((b"x-r", b"1"), (b"content-type", b"text/plain"))


def test_a_decision_names_its_rule(build: Build, ask: Ask, virtual_service: Callable[..., str]) -> None:
    http = [
        {"name": "first", "match": [{"uri": {"exact": "/no"}}], "route": [to("v1")]},
        {"name": "second", "match": [{"uri": {"exact": "/a"}}, {"uri": {"exact": "/b"}}], "route": [to("v1")]},
        {"route": [to("v2")]},
    ]
    table = build(virtual_service(http, name="vs", namespace="default"))
    decision = table.route(ask("/b"), 0)
    assert decision.rule is not None
    assert (decision.rule.virtual_service, decision.rule.rule, decision.rule.name) == (
        "default/vs",
        "http[1]",
        "second",
    )
    assert decision.rule.location.startswith("rules.yaml:")
    assert decision.match == 1
    assert table.route(ask("/c"), 0).match is None


def test_what_leaves_is_a_new_request(build: Build, ask: Ask) -> None:
    request = ask("/a", "example.com", ("k", "v"))
    decision = build([{"route": [to("v1")], "rewrite": {"uri": "/b/"}}]).route(request, 0)
    assert request == ask("/a", "example.com", ("k", "v"))
    assert decision.request == ask("/b/a", "example.com", ("k", "v"))


def test_routing_is_fixed_by_the_draw(build: Build, ask: Ask) -> None:
    table = build([{"route": [to("v1", 50), to("v2", 50)], "mirror": {"host": "svc", "subset": "v2"}}])
    for draw in (0, 1, 2**63, 2**64 - 1):
        assert table.route(ask(), draw) == table.route(ask(), draw)


def test_a_host_without_a_destination_rule_has_no_subsets(build: Build, ask: Ask) -> None:
    response = (
        build([{"route": [{"destination": {"host": "bare.test", "subset": "v1"}}]}], BARE).route(ask(), 0).response
    )
    assert response is not None
    assert b"declares subset v1 of bare.test; give it one" in response.body


BARE = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: bare}
spec: {hosts: [bare.test], ports: [{number: 80, name: http}], resolution: DNS}
"""


def test_where_nothing_is_sent_to_the_primary_it_needs_no_endpoint(build: Build, ask: Ask) -> None:
    rules = [{"route": [to("v3")], "mirror": {"host": "svc", "subset": "v2"}}]
    assert build(rules).route(ask(), 0).action is Action.UNAVAILABLE
    decision = build(rules, primary_endpoints=False).route(ask(), 0)
    assert (decision.action, decision.endpoint) == (Action.ROUTE, None)
    assert [mirror.cluster.subset for mirror in decision.mirrors if mirror.endpoint] == ["v2"]


def test_the_option_that_is_advised_is_found_from_the_proxys_namespace(build: Build, ask: Ask) -> None:
    rules = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, namespace: prod}
spec: {hosts: [example.com], http: [{route: [{destination: {host: other, subset: v1}}]}]}
"""
    for namespace, name in (("default", "other.prod.svc.cluster.local/v1"), ("prod", "other/v1")):
        response = build(rules, identity=Identity(namespace=namespace)).route(ask(), 0).response
        assert response is not None
        assert f"--set mirror_endpoints={name}=ADDRESS:PORT" in response.body.decode()


def test_a_subset_that_is_not_declared_is_named_where_endpoints_come_from_options(build: Build, ask: Ask) -> None:
    rule = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: other}
spec: {host: other, subsets: [{name: v1, labels: {version: v1}}]}
"""
    host = "other.default.svc.cluster.local"
    for subset, said in (
        ("v11", "it has: v1; did you mean v1?"),
        ("v1", f"no ServiceEntry or Service declares {host}"),
    ):
        response = (
            build([{"route": [{"destination": {"host": "other", "subset": subset}}]}], rule).route(ask(), 0).response
        )
        assert response is not None
        assert said in response.body.decode()


def test_a_local_reply_that_somebody_else_has_made(build: Build, ask: Ask) -> None:
    """The decision is the same, but for the response."""
    table = build([{"directResponse": {"status": 418}, "mirror": {"host": "svc", "subset": "v1"}}])
    (host,) = table.virtual_hosts
    (entry,) = host.services[0].entries
    made, ours = entry.route.answered(None, ask(), 7), table.route(ask(), 7)
    assert (made.action, made.rule, made.response) == (ours.action, ours.rule, None) and ours.response is not None
    assert [each.skipped for each in made.mirrors] == [each.skipped for each in ours.mirrors] == ["local_reply"]
