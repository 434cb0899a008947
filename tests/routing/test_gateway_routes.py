"""Routes of the Gateway API in the table: which rule a request meets, and what becomes of it there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.gateway_api.reading import GATEWAY_API
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.trace import explain
from mirror_addon.routing.trace import rules as rule_views

Ask = Callable[..., Request]
PLAIN = Identity(use_remote_address=False)
SHOP = "shop.test"


def document(kind: str, spec: Any, name: str = "it", namespace: str = "demo", **metadata: Any) -> str:
    groups = {"Service": "v1", "EndpointSlice": "discovery.k8s.io/v1", "Namespace": "v1"}
    groups |= dict.fromkeys(("ServiceEntry", "VirtualService", "DestinationRule"), "networking.istio.io/v1")
    head = {"apiVersion": groups.get(kind, "gateway.networking.k8s.io/v1"), "kind": kind}
    metadata = {"name": name, "namespace": namespace, **metadata}
    if kind == "EndpointSlice":
        return json.dumps({**head, "metadata": metadata, **spec})
    return json.dumps({**head, "metadata": metadata, "spec": spec})


def service(name: str, port: int | None, namespace: str = "demo", ports: Any = None, **spec: Any) -> str:
    """A Service with port 80 and, where `port` is given, a slice that says that it listens there."""
    ports = ports or [{"name": "http", "port": 80}]
    texts = [document("Service", {"ports": ports, **spec}, name, namespace)]
    if port is not None:
        body = {
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": port}],
            "endpoints": [{"addresses": ["127.0.0.1"]}],
        }
        labels = {"kubernetes.io/service-name": name}
        texts.append(document("EndpointSlice", body, f"{name}-local", namespace, labels=labels))
    return "\n---\n".join(texts)


SERVICES = "\n---\n".join(
    [*(service(name, 9000 + index) for index, name in enumerate("abcm", 1)), service("empty", None)]
)


def route(*rules: dict[str, Any], name: str = "it", kind: str = "HTTPRoute", **more: Any) -> str:
    """A route of shop.test whose parent is not there; rules without backends go to `a`."""
    metadata = {key: more.pop(key) for key in ("namespace", "creationTimestamp", "annotations") if key in more}
    filled = [{"backendRefs": [backend("a")], **rule} for rule in rules]
    spec = {"parentRefs": [{"name": "edge"}], "hostnames": [SHOP], "rules": filled, **more}
    return document(kind, spec, name, **metadata)


def backend(name: str, port: int = 80, **more: Any) -> dict[str, Any]:
    return {"name": name, "port": port, **more}


def path(value: str, kind: str = "PathPrefix", **more: Any) -> dict[str, Any]:
    return {"path": {"type": kind, "value": value}, **more}


def mirror(name: str = "m", **share: Any) -> dict[str, Any]:
    reference = {key: share.pop(key) for key in ("namespace", "kind", "group", "port") if key in share}
    return {"type": "RequestMirror", "requestMirror": {"backendRef": {**backend(name), **reference}, **share}}


def rewrite(**fields: Any) -> dict[str, Any]:
    return {"type": "URLRewrite", "urlRewrite": fields}


def redirect(**fields: Any) -> dict[str, Any]:
    return {"type": "RequestRedirect", "requestRedirect": fields}


def prefix(new: str) -> dict[str, str]:
    return {"type": "ReplacePrefixMatch", "replacePrefixMatch": new}


def full(new: str) -> dict[str, str]:
    return {"type": "ReplaceFullPath", "replaceFullPath": new}


def table(*texts: str, identity: Identity = PLAIN, **options: Any) -> RouteTable:
    text = "\n---\n".join([SERVICES, *texts])
    parsed = parse_sources([Source("rules.yaml", text.encode())], extension=GATEWAY_API)
    return RouteTable.build(parsed.resources, identity, **options)


def where(decision: Decision) -> str:
    """`ROUTE RULE MATCH` of a decision, or its action where no rule was met."""
    if decision.rule is None:
        return str(decision.action)
    match = "" if decision.match is None else f" {decision.match}"
    return f"{decision.rule.route} {decision.rule.rule}{match}"


# Matching


@pytest.mark.parametrize(
    ("match", "asked", "met"),
    [
        (path("/abc"), "/abc", True),
        (path("/abc"), "/abc/", True),
        (path("/abc"), "/abc/d", True),
        (path("/abc"), "/abc?d", True),
        (path("/abc"), "/abcd", False),
        (path("/abc"), "/ABC", False),
        (path("/abc"), "/abc%2Fd", False),
        (path("/abc"), "/", False),
        (path("/abc/"), "/abc", True),
        (path("/abc/"), "/abc/d", True),
        (path("/abc/"), "/abcd", False),
        (path("/"), "/anything", True),
        (path("/abc", "Exact"), "/abc", True),
        (path("/abc", "Exact"), "/abc?x=/", True),
        (path("/abc", "Exact"), "/abc/", False),
        (path("/abc", "Exact"), "/Abc", False),
        (path("/a.c", "RegularExpression"), "/abc", True),
        (path("/a.c", "RegularExpression"), "/abcd", False),
        (path("a.c", "RegularExpression"), "/abc", False),
    ],
)
def test_paths(match: dict[str, Any], asked: str, met: bool, ask: Ask) -> None:
    decision = table(route({"matches": [match]})).route(ask(asked, SHOP), 0)
    assert where(decision) == ("demo/it rules[0] 0" if met else "not_found")


@pytest.mark.parametrize(
    ("match", "asked", "headers", "met"),
    [
        ({"method": "POST"}, "/", (), False),
        ({"method": "GET"}, "/", (), True),
        ({"headers": [{"name": "X-a", "value": "1"}]}, "/", (("x-A", "1"),), True),
        ({"headers": [{"name": "x-a", "value": "1"}]}, "/", (("x-a", "12"),), False),
        ({"headers": [{"name": "x-a", "value": "A"}]}, "/", (("x-a", "a"),), False),
        ({"headers": [{"name": "x-a", "value": "1.*", "type": "RegularExpression"}]}, "/", (("x-a", "12"),), True),
        ({"headers": [{"name": "x-a", "value": "1", "type": "RegularExpression"}]}, "/", (("x-a", "12"),), False),
        ({"headers": [{"name": "x-a", "value": "1"}, {"name": "x-b", "value": "2"}]}, "/", (("x-a", "1"),), False),
        ({"headers": [{"name": "x-a", "value": "1"}, {"name": "X-A", "value": "2"}]}, "/", (("x-a", "1"),), True),
        ({"queryParams": [{"name": "q", "value": "1"}]}, "/?q=1", (), True),
        ({"queryParams": [{"name": "q", "value": "1"}]}, "/?Q=1", (), False),
        ({"queryParams": [{"name": "q", "value": "1"}]}, "/?q=1&q=2", (), True),
        ({"queryParams": [{"name": "q", "value": "a b"}]}, "/?q=a%20b", (), False),
        ({"queryParams": [{"name": "q", "value": "1.", "type": "RegularExpression"}]}, "/?q=12", (), True),
    ],
)
def test_conditions(match: dict[str, Any], asked: str, headers: Any, met: bool, ask: Ask) -> None:
    decision = table(route({"matches": [match]})).route(ask(asked, SHOP, *headers), 0)
    assert where(decision) == ("demo/it rules[0] 0" if met else "not_found")


def test_matches_are_alternatives(ask: Ask) -> None:
    found = table(route({"matches": [path("/a"), path("/b", method="POST")]}))
    assert where(found.route(ask("/a", SHOP), 0)) == "demo/it rules[0] 0"
    assert where(found.route(ask("/b", SHOP), 0)) == "not_found"
    assert where(found.route(ask("/b", SHOP, method="POST"), 0)) == "demo/it rules[0] 1"


# Precedence


def test_the_most_specific_rule_of_all_routes_wins(ask: Ask) -> None:
    """Not the first, neither of a route nor of a document."""
    found = table(
        route(
            {}, {"matches": [path("/cart")]}, {"matches": [path("/cart/x", method="GET"), path("/cart/x")]}, name="one"
        ),
        route({"matches": [path("/cart", method="GET")]}, {"matches": [path("/cart/y", "Exact")]}, name="two"),
    )
    for asked, expected in (
        ("/cart/x/1", "demo/one rules[2] 0"),
        ("/cart/y", "demo/two rules[1] 0"),
        ("/cart/z", "demo/two rules[0] 0"),
        ("/other", "demo/one rules[0] 0"),
    ):
        assert where(found.route(ask(asked, SHOP), 0)) == expected
    assert where(found.route(ask("/cart/x/1", SHOP, method="POST"), 0)) == "demo/one rules[2] 1"
    assert where(found.route(ask("/cart/z", SHOP, method="POST"), 0)) == "demo/one rules[1] 0"


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        ({"name": "b"}, {"name": "a"}, "demo/a"),
        ({"name": "a", "namespace": "z"}, {"name": "b", "namespace": "y"}, "y/b"),
        (
            {"name": "a", "creationTimestamp": "2026-02-01T00:00:00Z"},
            {"name": "b", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "demo/b",
        ),
    ],
)
def test_between_equals_the_oldest_then_the_name_wins(first: Any, second: Any, winner: str, ask: Ask) -> None:
    parents = [{"name": "edge", "namespace": "infra"}]
    found = table(route({}, parentRefs=parents, **first), route({}, parentRefs=parents, **second))
    assert where(found.route(ask("/", SHOP), 0)) == f"{winner} rules[0] 0"


def test_a_regex_behind_a_catch_all_is_lost(ask: Ask) -> None:
    regex = {"matches": [path("/a.*", "RegularExpression")]}
    assert where(table(route({}, regex)).route(ask("/abc", SHOP), 0)) == "demo/it rules[0] 0"
    narrowed = table(route({"matches": [{"method": "GET"}]}, regex))
    assert where(narrowed.route(ask("/abc", SHOP, method="POST"), 0)) == "demo/it rules[1] 0"


def test_rules_of_both_kinds_are_sorted_together(ask: Ask) -> None:
    found = table(
        route({"matches": [path("/s.S")]}, name="http"),
        route({"matches": [{"method": {"service": "s.S", "method": "M"}}]}, name="grpc", kind="GRPCRoute"),
    )
    assert where(found.route(ask("/s.S/M", SHOP), 0)) == "demo/grpc rules[0] 0"
    assert where(found.route(ask("/s.S/N", SHOP), 0)) == "demo/http rules[0] 0"


@pytest.mark.parametrize(
    ("match", "asked", "met"),
    [
        ({"method": {"service": "s.S", "method": "M"}}, "/s.S/M", True),
        ({"method": {"service": "s.S", "method": "M"}}, "/s.S/MN", False),
        ({"method": {"service": "s.S"}}, "/s.S/M", True),
        ({"method": {"service": "s.S"}}, "/s.SX/M", False),
        ({"method": {"method": "M"}}, "/any/M", True),
        ({"method": {"method": "M"}}, "/any/x/M", False),
        ({"method": {"type": "RegularExpression", "service": "s\\..*"}}, "/s.T/M", True),
        ({"headers": [{"name": "x", "value": "1"}]}, "/s.T/M", False),
        ({}, "/s.T/M", True),
    ],
)
def test_matches_of_grpc(match: dict[str, Any], asked: str, met: bool, ask: Ask) -> None:
    decision = table(route({"matches": [match]}, kind="GRPCRoute")).route(ask(asked, SHOP), 0)
    assert where(decision) == ("demo/it rules[0] 0" if met else "not_found")


def test_a_rule_of_grpc_without_matches_is_last(ask: Ask) -> None:
    found = table(route({}, {"matches": [{"method": {"service": "s.S"}}]}, kind="GRPCRoute"))
    assert where(found.route(ask("/s.S/M", SHOP), 0)) == "demo/it rules[1] 0"
    decision = found.route(ask("/s.T/M", SHOP), 0)
    assert (where(decision), decision.match) == ("demo/it rules[0]", None)


values = st.sampled_from(["/", "/a", "/a/", "/a/b", "/ab", "/a/b/c"])
conditions: list[dict[str, Any]] = [
    {},
    {"method": "GET"},
    {"method": "POST"},
    {"headers": [{"name": "x", "value": "1"}]},
    {"queryParams": [{"name": "q", "value": "1"}]},
]
some_matches = st.builds(
    lambda kind, value, more: path(value, kind, **more),
    st.sampled_from(["Exact", "PathPrefix", "RegularExpression"]),
    values,
    st.sampled_from(conditions),
)
some_rules = st.lists(st.lists(some_matches, min_size=1, max_size=3), min_size=1, max_size=4)


def holds(match: dict[str, Any], request: Request) -> bool:
    """Whether a request meets a match, computed as the API describes it and in no other way."""
    target = request.path.decode()
    asked, _, query = target.partition("?")
    value, kind = match["path"]["value"], match["path"]["type"]
    elements = [element for element in value.split("/") if element]
    if kind == "PathPrefix":
        met = [element for element in asked.split("/") if element][: len(elements)] == elements
    else:
        met = asked == value
    return (
        met
        and match.get("method", "GET") == request.method.decode()
        and (not match.get("headers") or (b"x", b"1") in request.headers)
        and (not match.get("queryParams") or query == "q=1")
    )


def better(match: dict[str, Any]) -> Any:
    kind, value = match["path"]["type"], match["path"]["value"]
    if kind == "PathPrefix":
        value = value.rstrip("/") or "/"
    order = ("Exact", "PathPrefix", "RegularExpression").index(kind)
    return order, -len(value), "method" not in match, "headers" not in match, "queryParams" not in match


@settings(max_examples=120, deadline=None)
@given(st.lists(some_rules, min_size=1, max_size=3), values, st.sampled_from(["", "?q=1"]), st.booleans())
def test_the_first_of_the_sorted_matches_is_met(routes: list[Any], asked: str, query: str, header: bool) -> None:
    """Against a scan of all matches of all routes in the order of the API, cut off at the first catch-all."""
    request = Request(b"GET", b"http", SHOP.encode(), f"{asked}{query}".encode(), ((b"x", b"1"),) if header else (), 80)
    places = [
        (better(match), number, index, place, match)
        for number, rules in enumerate(routes)
        for index, matches in enumerate(rules)
        for place, match in enumerate(matches)
    ]
    expected = "not_found"
    for _, number, index, place, match in sorted(places, key=lambda each: each[:4]):
        if holds(match, request):
            expected = f"demo/r{number} rules[{index}] {place}"
            break
        if match == path("/"):
            break
    texts = [
        route(*({"matches": matches} for matches in rules), name=f"r{number}") for number, rules in enumerate(routes)
    ]
    assert where(table(*texts).route(request, 0)) == expected


# Hosts and listeners


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("a.test", "demo/exact rules[0] 0"),
        ("A.TEST:8080", "demo/exact rules[0] 0"),
        ("b.test", "demo/wild rules[0] 0"),
        ("x.y.test", "demo/wild rules[0] 0"),
        ("x.long.test", "demo/longer rules[0] 0"),
        ("test", "demo/any rules[0] 0"),
    ],
)
def test_the_most_specific_host_wins(asked: str, expected: str, ask: Ask) -> None:
    hosts = {"exact": ["a.test"], "wild": ["*.test"], "longer": ["*.long.test"], "any": []}
    found = table(*(route({}, name=name, hostnames=hostnames) for name, hostnames in hosts.items()))
    assert where(found.route(ask("/", asked), 0)) == expected


def test_no_fall_through_to_a_wildcard(ask: Ask) -> None:
    found = table(route({"matches": [path("/x")]}, hostnames=["a.test"]), route({}, name="wild", hostnames=["*.test"]))
    assert where(found.route(ask("/", "a.test"), 0)) == "not_found"


def test_each_host_of_a_route_is_one_of_its_own(ask: Ask) -> None:
    found = table(
        route({"matches": [path("/x")]}, name="both", hostnames=["a.test", "b.test"]),
        route({}, name="one", hostnames=["a.test"]),
    )
    assert where(found.route(ask("/y", "a.test"), 0)) == "demo/one rules[0] 0"
    assert where(found.route(ask("/y", "b.test"), 0)) == "not_found"


def test_a_host_that_no_route_names_passes(ask: Ask) -> None:
    assert table(route({})).route(ask("/", "other.test"), 0).action is Action.PASSTHROUGH


def gateway(*listeners: dict[str, Any], name: str = "edge", namespace: str = "demo", **spec: Any) -> str:
    filled = [{"name": f"l{index}", "protocol": "HTTP", **each} for index, each in enumerate(listeners)]
    return document("Gateway", {"gatewayClassName": "x", "listeners": filled, **spec}, name, namespace)


def test_ports_of_listeners(ask: Ask) -> None:
    found = table(gateway({"port": 80}, {"port": 8080}), route({}, parentRefs=[{"name": "edge", "port": 8080}]))
    assert where(found.route(ask("/", SHOP, port=8080), 0)) == "demo/it rules[0] 0"
    assert found.route(ask("/", SHOP, port=80), 0).action is Action.PASSTHROUGH


@pytest.mark.parametrize("port", [80, 443, 8080])
def test_a_section_of_a_gateway_that_is_not_there_is_any_port(port: int, ask: Ask) -> None:
    """And the routes of two of its sections are sorted together: which listener each is for is not known."""
    texts = [
        route({}, name="first", parentRefs=[{"name": "edge", "sectionName": "http"}]),
        route({"matches": [path("/x")]}, name="second", parentRefs=[{"name": "edge", "sectionName": "https"}]),
    ]
    found = table(*texts)
    assert where(found.route(ask("/x", SHOP, port=port), 0)) == "demo/second rules[0] 0"
    assert where(found.route(ask("/y", SHOP, port=port), 0)) == "demo/first rules[0] 0"


def test_listeners_are_isolated(ask: Ask) -> None:
    """A route of a broader listener does not see the requests of a host that another one has."""
    listeners = [{"port": 80}, {"port": 80, "hostname": "*.shop.test"}]
    texts = [
        route({}, name=f"r{index}", hostnames=[], parentRefs=[{"name": "edge", "sectionName": f"l{index}"}])
        for index in range(2)
    ]
    found = table(gateway(*listeners), *texts)
    assert where(found.route(ask("/", "a.shop.test"), 0)) == "demo/r1 rules[0] 0"
    assert where(found.route(ask("/", "a.test"), 0)) == "demo/r0 rules[0] 0"
    named = route({}, hostnames=["a.shop.test"], parentRefs=[{"name": "edge", "sectionName": "l0"}])
    assert table(gateway(*listeners), named).route(ask("/", "a.shop.test"), 0).action is Action.PASSTHROUGH


def test_the_listeners_host_narrows_the_routes(ask: Ask) -> None:
    found = table(gateway({"port": 80, "hostname": "*.shop.test"}), route({}, hostnames=[]))
    assert where(found.route(ask("/", "a.shop.test"), 0)) == "demo/it rules[0] 0"
    assert found.route(ask("/", "b.test"), 0).action is Action.PASSTHROUGH


def test_routes_of_different_listeners_are_not_sorted_together(ask: Ask) -> None:
    """The rules of one listener come before those of the next, whatever they match; catch-alls come last."""
    found = table(
        gateway({"port": 80}, name="one"),
        gateway({"port": 80}, name="two"),
        route({"matches": [path("/a")]}, {}, name="first", parentRefs=[{"name": "one"}]),
        route({"matches": [path("/a/b", "Exact")]}, name="second", parentRefs=[{"name": "two"}]),
    )
    assert where(found.route(ask("/a/b", SHOP), 0)) == "demo/first rules[0] 0"
    assert where(found.route(ask("/c", SHOP), 0)) == "demo/first rules[1] 0"


@pytest.mark.parametrize(
    ("gateways", "expected"),
    [
        ((), "demo/it rules[0] 0"),
        (("demo/edge",), "demo/it rules[0] 0"),
        (("edge",), "passthrough"),
        (("mesh",), "passthrough"),
        (("other/edge", "demo/edge"), "demo/it rules[0] 0"),
    ],
)
def test_the_gateways_that_this_proxy_is(gateways: tuple[str, ...], expected: str, ask: Ask) -> None:
    found = table(route({}), identity=Identity(gateways=gateways, use_remote_address=False))
    assert where(found.route(ask("/", SHOP), 0)) == expected


# Backends, weights and mirrors


@pytest.mark.parametrize(
    ("backends", "draw", "action", "status", "host"),
    [
        ([backend("a")], 7, Action.ROUTE, None, "a"),
        ([backend("a", weight=0)], 0, Action.DIRECT_RESPONSE, 500, None),
        ([], 0, Action.DIRECT_RESPONSE, 500, None),
        ([backend("a", weight=0), backend("b", weight=5)], 3, Action.ROUTE, None, "b"),
        ([backend("a", weight=9), backend("b")], 8, Action.ROUTE, None, "a"),
        ([backend("a", weight=9), backend("b")], 9, Action.ROUTE, None, "b"),
        ([backend("a"), backend("gone")], 0, Action.ROUTE, None, "a"),
        ([backend("a"), backend("gone")], 1, Action.UNAVAILABLE, 500, "gone"),
        ([backend("a", 81)], 0, Action.UNAVAILABLE, 500, "a"),
        ([backend("empty")], 0, Action.UNAVAILABLE, 503, "empty"),
        ([backend("a", kind="Bucket", group="x.io")], 0, Action.UNAVAILABLE, 500, "a"),
    ],
)
def test_backends(
    backends: list[Any], draw: int, action: Action, status: int | None, host: str | None, ask: Ask
) -> None:
    decision = table(route({"backendRefs": backends})).route(ask("/", SHOP), draw)
    assert (decision.action, decision.response.status if decision.response else None) == (action, status)
    found = decision.cluster.host if decision.cluster else None
    assert found == (f"{host}.demo.svc.cluster.local" if host else None)


def test_a_route_without_rules_answers_500(ask: Ask) -> None:
    text = document("HTTPRoute", {"parentRefs": [{"name": "edge"}], "hostnames": [SHOP]})
    decision = table(text).route(ask("/x", SHOP), 0)
    assert (decision.action, decision.response and decision.response.status) == (Action.DIRECT_RESPONSE, 500)


def test_grpc_clients_get_a_grpc_status(ask: Ask) -> None:
    found = table(route({"backendRefs": [backend("gone")]}))
    decision = found.route(ask("/", SHOP, ("content-type", "application/grpc")), 0)
    assert decision.response is not None and decision.response.status == 200
    assert dict(decision.response.headers)[b"grpc-status"] == b"2"


def test_other_namespaces_need_a_grant(ask: Ask) -> None:
    oven = service("oven", 9009, "bakery")
    own = route({"backendRefs": [backend("oven", namespace="bakery")], "filters": [mirror("oven", namespace="bakery")]})
    decision = table(oven, own).route(ask("/", SHOP), 0)
    assert decision.response is not None and decision.response.status == 500
    assert b"no ReferenceGrant in namespace bakery" in decision.response.body
    grant = {"from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "demo"}],
             "to": [{"group": "", "kind": "Service", "name": "oven"}]}  # fmt: skip
    decision = table(oven, own, document("ReferenceGrant", grant, namespace="bakery")).route(ask("/", SHOP), 0)
    assert str(decision.endpoint) == "127.0.0.1:9009"
    assert decision.cluster is not None and decision.cluster.label == "oven.bakery"
    assert [str(each.endpoint) for each in decision.mirrors] == ["127.0.0.1:9009"]


@pytest.mark.parametrize(
    ("share", "draw", "sampled"),
    [
        ({}, 2**64 - 1, True),
        ({"percent": 0}, 0, False),
        ({"percent": 25}, 249_999, True),
        ({"percent": 25}, 250_000, False),
        ({"fraction": {"numerator": 0}}, 0, False),
        ({"fraction": {"numerator": 1, "denominator": 3}}, 333_332, True),
        ({"fraction": {"numerator": 1, "denominator": 3}}, 333_333, False),
        ({"fraction": {"numerator": 57, "denominator": 10000}}, 5_698, True),
        ({"fraction": {"numerator": 57, "denominator": 10000}}, 5_699, False),
        ({"fraction": {"numerator": 25, "denominator": 50}}, 499_999, True),
        ({"fraction": {"numerator": 1, "denominator": 2_000_000}}, 0, False),
        ({"fraction": {"numerator": 1, "denominator": 1_000_000}}, 0, True),
    ],
)
def test_shares_of_mirrors(share: dict[str, Any], draw: int, sampled: bool, ask: Ask) -> None:
    (found,) = table(route({"filters": [mirror(**share)]})).route(ask("/", SHOP), draw).mirrors
    assert found.sampled is sampled
    assert found.skipped is None


def test_one_draw_for_weights_and_all_mirrors(ask: Ask) -> None:
    found = table(
        route(
            {"backendRefs": [backend("a"), backend("b")], "filters": [mirror("m", percent=50), mirror("c", percent=50)]}
        )
    )
    for draw in (0, 499_999, 500_000, 999_999):
        decision = found.route(ask("/", SHOP), draw)
        assert decision.cluster is not None and decision.cluster.label == "ab"[draw % 2]
        assert [each.cluster.label for each in decision.mirrors] == ["m", "c"]
        assert {each.sampled for each in decision.mirrors} == {draw < 500_000}


@pytest.mark.parametrize(
    ("target", "skipped"),
    [
        (mirror("m"), None),
        (mirror("gone"), "no_endpoint"),
        (mirror("empty"), "no_endpoint"),
        (mirror("m", port=81), "no_endpoint"),
        (mirror("m", namespace="other"), "no_endpoint"),
        (mirror("m", kind="Bucket", group="x.io"), "no_endpoint"),
        (mirror("m.demo"), "no_endpoint"),
    ],
)
@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute"])
def test_a_bad_mirror_never_takes_the_primary_down(target: Any, skipped: str | None, kind: str, ask: Ask) -> None:
    decision = table(route({"filters": [target]}, kind=kind)).route(ask("/", SHOP), 0)
    assert decision.action is Action.ROUTE
    assert [each.skipped for each in decision.mirrors] == [skipped]


def test_a_mirror_of_a_local_reply_is_not_sent(ask: Ask) -> None:
    for rule in ({"backendRefs": []}, {"backendRefs": [], "filters": [redirect(scheme="https")]}):
        filters = [*rule.get("filters", []), mirror()]
        decision = table(route({**rule, "filters": filters})).route(ask("/", SHOP), 0)
        assert [each.skipped for each in decision.mirrors] == ["local_reply"]


def test_a_mirror_on_a_backend_is_left_out(ask: Ask) -> None:
    decision = table(route({"backendRefs": [backend("a", filters=[mirror()])]})).route(ask("/", SHOP), 0)
    assert (decision.action, decision.mirrors) == (Action.ROUTE, ())


def test_the_copy_carries_what_the_rule_and_the_backend_change(ask: Ask) -> None:
    own = [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-own", "value": "1"}]}}]
    added = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"add": [{"name": "x-rule", "value": "2"}]}}
    rule = [mirror(), added, rewrite(hostname="new.test", path=prefix("/new"))]
    for backends in ([backend("a", filters=own)], [backend("a", filters=own), backend("b", filters=own)]):
        matches = [path("/old")]
        decision = table(route({"matches": matches, "filters": rule, "backendRefs": backends})).route(
            ask("/old/x", SHOP), 0
        )
        assert decision.request is not None
        assert (decision.request.authority, decision.request.path) == (b"new.test", b"/new/x")
        assert dict(decision.request.headers) == {b"x-own": b"1", b"x-rule": b"2"}
        assert decision.mirrors[0].sampled


# Lost routes


@pytest.mark.parametrize(
    "rule",
    [
        {"filters": [{"type": "ExtensionRef", "extensionRef": {"group": "a.b", "kind": "C", "name": "d"}}]},
        {"backendRefs": [backend("a.demo")]},
        {"backendRefs": [backend("a", filters=[rewrite(hostname="a.b")])]},
        {
            "filters": [
                {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "a", "value": "\n"}]}}
            ]
        },
    ],
)
def test_a_route_that_istio_drops_is_404(rule: dict[str, Any], ask: Ask) -> None:
    """All of its rules. Other routes of the host stay, and the host does not pass through."""
    found = table(route({"matches": [path("/x")]}, rule, name="lost"))
    decision = found.route(ask("/x", SHOP), 0)
    assert (decision.action, decision.rule) == (Action.NOT_FOUND, None)
    assert any("Istio makes nothing of this route" in line for line in explain(found, ask("/x", SHOP), 0))
    both = table(route(rule, name="lost"), route({}, name="kept"))
    assert where(both.route(ask("/x", SHOP), 0)) == "demo/kept rules[0] 0"


# Rewrites and redirects


@pytest.mark.parametrize(
    ("matched", "new", "asked", "leaves"),
    [
        ("/foo", "/xyz", "/foo/bar", "/xyz/bar"),
        ("/foo", "/xyz", "/foo", "/xyz"),
        ("/foo", "/xyz", "/foo/", "/xyz/"),
        ("/foo", "/xyz/", "/foo/bar", "/xyz/bar"),
        ("/foo/", "/xyz", "/foo/bar", "/xyz/bar"),
        ("/foo", "/", "/foo/bar", "/bar"),
        ("/foo", "", "/foo/bar", "/bar"),
        ("/foo", "/", "/foo", "/"),
        ("/foo", "/", "/foo/", "/"),
        ("/foo", "/", "/foo?q", "/?q"),
        ("/foo", "/", "/foo//bar?q=/foo", "//bar?q=/foo"),
        ("/f.o", "/", "/f.o/foo", "/foo"),
        ("/", "/public", "/product", "/public/product"),
        ("/", "/public", "/", "/public/"),
        ("/", "/", "/product", "/product"),
    ],
)
def test_prefixes_are_replaced(matched: str, new: str, asked: str, leaves: str, ask: Ask) -> None:
    """The same in a rewrite and in a redirect."""
    found = table(route({"matches": [path(matched)], "filters": [rewrite(path=prefix(new))]}))
    decision = found.route(ask(asked, SHOP), 0)
    assert decision.request is not None and decision.request.path == leaves.encode()
    found = table(route({"matches": [path(matched)], "filters": [redirect(path=prefix(new))], "backendRefs": []}))
    response = found.route(ask(asked, SHOP), 0).response
    assert response is not None and dict(response.headers)[b"location"] == f"http://{SHOP}{leaves}".encode()


@pytest.mark.parametrize(("new", "leaves"), [("/full", "/full?q=1"), ("/a\\1", "/a\\1?q=1"), ("", "/?q=1")])
def test_the_full_path_is_replaced(new: str, leaves: str, ask: Ask) -> None:
    decision = table(route({"filters": [rewrite(path=full(new))]})).route(ask("/x/y?q=1", SHOP), 0)
    assert decision.request is not None and decision.request.path == leaves.encode()


@pytest.mark.parametrize(
    ("fields", "host", "port", "scheme", "location"),
    [
        ({}, SHOP, 80, "http", "http://shop.test/a?b"),
        ({}, SHOP, 443, "https", "https://shop.test/a?b"),
        ({}, f"{SHOP}:8080", 8080, "http", "http://shop.test:8080/a?b"),
        ({"scheme": "https"}, SHOP, 80, "http", "https://shop.test/a?b"),
        ({"scheme": "https"}, f"{SHOP}:80", 80, "http", "https://shop.test/a?b"),
        ({"scheme": "https", "port": 8443}, SHOP, 80, "http", "https://shop.test:8443/a?b"),
        ({"scheme": "https", "port": 443}, SHOP, 80, "http", "https://shop.test/a?b"),
        ({"port": 80}, SHOP, 80, "http", "http://shop.test/a?b"),
        ({"hostname": "new.test"}, SHOP, 80, "http", "http://new.test/a?b"),
        ({"hostname": "new.test"}, f"{SHOP}:8080", 8080, "http", "http://new.test:8080/a?b"),
        ({"path": full("/new")}, SHOP, 80, "http", "http://shop.test/new?b"),
    ],
)
def test_redirects(fields: Any, host: str, port: int, scheme: str, location: str, ask: Ask) -> None:
    found = table(route({"filters": [redirect(**fields)], "backendRefs": []}))
    response = found.route(ask("/a?b", host, port=port, scheme=scheme), 0).response
    assert response is not None
    assert (response.status, dict(response.headers)[b"location"]) == (302, location.encode())


def test_redirect_codes(ask: Ask) -> None:
    for code in (301, 302, 303, 307, 308):
        found = table(route({"filters": [redirect(statusCode=code)], "backendRefs": []}))
        response = found.route(ask("/", SHOP), 0).response
        assert response is not None and response.status == code


# Headers, CORS, timeouts


def test_removes_then_sets_then_adds(ask: Ask) -> None:
    modifier = {
        "set": [{"name": "A", "value": "set"}],
        "add": [{"name": "B", "value": "added"}, {"name": "b", "value": "ignored"}],
        "remove": ["C"],
    }
    filters = [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": modifier},
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": modifier},
    ]
    decision = table(route({"filters": filters})).route(
        ask("/", SHOP, ("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")), 0
    )
    assert decision.request is not None
    assert decision.request.headers == ((b"b", b"2"), (b"d", b"4"), (b"a", b"set"), (b"b", b"added"))
    (edit,) = decision.response_headers
    assert edit.apply(((b"C", b"3"),)) == ((b"a", b"set"), (b"b", b"added"))


def test_a_host_header_is_a_rewrite(ask: Ask) -> None:
    modifier = {"set": [{"name": "Host", "value": "other.test"}]}
    found = table(route({"filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": modifier}]}))
    decision = found.route(ask("/", SHOP), 0)
    assert decision.request is not None and decision.request.authority == b"other.test"


def test_cors(ask: Ask) -> None:
    cors = {"allowOrigins": ["https://*.shop.test"], "allowMethods": ["GET", "PUT"], "allowCredentials": True}
    found = table(route({"filters": [{"type": "CORS", "cors": cors}]}))
    preflight = ("access-control-request-method", "PUT")
    decision = found.route(ask("/", SHOP, ("origin", "https://a.shop.test"), preflight, method="OPTIONS"), 0)
    assert decision.action is Action.CORS_PREFLIGHT and decision.response is not None
    assert dict(decision.response.headers) == {
        b"access-control-allow-origin": b"https://a.shop.test",
        b"access-control-allow-credentials": b"true",
        b"access-control-allow-methods": b"GET,PUT",
        b"access-control-max-age": b"5",
    }
    refused = found.route(ask("/", SHOP, ("origin", "https://evil.test"), preflight, method="OPTIONS"), 0)
    assert refused.response is not None and refused.response.status == 200
    assert b"access-control-allow-origin" not in dict(refused.response.headers)


def test_the_timeout_of_the_rule_is_that_of_its_mirrors(ask: Ask) -> None:
    found = table(route({"filters": [mirror()], "timeouts": {"request": "1m30s"}}))
    assert found.route(ask("/", SHOP), 0).mirrors[0].timeout == 90.0


# The mesh

OVEN = service("oven", 9010, "bakery", [{"name": "http", "port": 80}, {"name": "admin", "port": 9000}])
V2 = service("oven-v2", 9012, "bakery")
TO_OVEN = [{"group": "", "kind": "Service", "name": "oven", "namespace": "bakery"}]


def mesh(*rules: Any, name: str = "it", namespace: str = "bakery", parents: Any = TO_OVEN, **more: Any) -> str:
    filled = [{"backendRefs": [backend("oven-v2", namespace="bakery")], **rule} for rule in rules]
    return route(*filled, name=name, namespace=namespace, parentRefs=parents, **more)


def client(namespace: str, *gateways: str) -> Identity:
    return Identity(namespace=namespace, gateways=gateways, use_remote_address=False)


@pytest.mark.parametrize("gateways", [(), ("mesh",)])
@pytest.mark.parametrize("host", ["oven.bakery", "oven.bakery.svc", "oven.bakery.svc.cluster.local", "OVEN.bakery:80"])
def test_all_names_of_the_service(host: str, gateways: tuple[str, ...], ask: Ask) -> None:
    found = table(OVEN, V2, mesh({}), identity=client("demo", *gateways))
    decision = found.route(ask("/", host), 0)
    assert (where(decision), str(decision.endpoint)) == ("bakery/it rules[0] 0", "127.0.0.1:9012")
    assert found.route(ask("/", SHOP), 0).action is Action.PASSTHROUGH, "host names of the route do not count there"


def test_the_short_name_in_its_own_namespace(ask: Ask) -> None:
    assert (
        where(table(OVEN, V2, mesh({}), identity=client("bakery")).route(ask("/", "oven"), 0)) == "bakery/it rules[0] 0"
    )
    assert where(table(OVEN, V2, mesh({}), identity=client("demo")).route(ask("/", "oven"), 0)) == "passthrough"


def test_none_of_the_rules_matches(ask: Ask) -> None:
    found = table(OVEN, V2, mesh({"matches": [path("/bake")]}))
    assert where(found.route(ask("/clean", "oven.bakery"), 0)) == "not_found"


@pytest.mark.parametrize("parent", [{"port": 80}, {"sectionName": "http"}])
def test_other_ports_are_untouched(parent: dict[str, Any], ask: Ask) -> None:
    found = table(OVEN, V2, mesh({}, parents=[{**TO_OVEN[0], **parent}]))
    assert where(found.route(ask("/", "oven.bakery"), 0)) == "bakery/it rules[0] 0"
    assert where(found.route(ask("/", "oven.bakery:9000", port=9000), 0)) == "passthrough"


@pytest.mark.parametrize(
    ("namespace", "expected"),
    [
        ("demo", "demo/consumer rules[0] 0"),
        ("bakery", "bakery/producer rules[0] 0"),
        ("other", "bakery/producer rules[0] 0"),
    ],
)
@pytest.mark.parametrize("gateways", [(), ("mesh",)])
def test_a_consumer_route_replaces_the_producers(
    namespace: str, expected: str, gateways: tuple[str, ...], ask: Ask
) -> None:
    """For clients of its namespace, and without merging."""
    texts = [mesh({}, {"matches": [path("/more")]}, name="producer"), mesh({}, name="consumer", namespace="demo")]
    found = table(OVEN, V2, *texts, identity=client(namespace, *gateways))
    assert where(found.route(ask("/", "oven.bakery"), 0)) == expected
    if namespace == "demo":
        assert where(found.route(ask("/more", "oven.bakery"), 0)) == expected


def test_a_consumer_route_of_one_port_leaves_the_others_to_the_producer(ask: Ask) -> None:
    consumer = mesh({"matches": [path("/x")]}, name="consumer", namespace="demo", parents=[{**TO_OVEN[0], "port": 80}])
    found = table(OVEN, V2, mesh({}, name="producer"), consumer, identity=client("demo"))
    assert where(found.route(ask("/y", "oven.bakery"), 0)) == "not_found"
    assert where(found.route(ask("/y", "oven.bakery:9000", port=9000), 0)) == "bakery/producer rules[0] 0"


def test_routes_of_one_namespace_and_service_merge(ask: Ask) -> None:
    found = table(OVEN, V2, mesh({}, name="one"), mesh({"matches": [path("/x")]}, name="two"))
    assert where(found.route(ask("/x", "oven.bakery"), 0)) == "bakery/two rules[0] 0"


def test_a_backend_that_is_the_parent_is_no_loop(ask: Ask) -> None:
    found = table(OVEN, mesh({"backendRefs": [backend("oven")]}))
    assert str(found.route(ask("/", "oven.bakery"), 0).endpoint) == "127.0.0.1:9010"


def test_the_mesh_asks_for_no_grant(ask: Ask) -> None:
    consumer = mesh({"filters": [mirror("oven-v2", namespace="bakery")]}, namespace="demo")
    decision = table(OVEN, V2, consumer, identity=client("demo", "mesh")).route(ask("/", "oven.bakery"), 0)
    assert (decision.action, [each.skipped for each in decision.mirrors]) == (Action.ROUTE, [None])


def test_a_route_of_a_gateway_and_of_the_mesh(ask: Ask) -> None:
    """References are judged for each parent by itself."""
    both = mesh({}, namespace="demo", parents=[*TO_OVEN, {"name": "edge"}])
    found = table(OVEN, V2, both, identity=client("demo"))
    assert found.route(ask("/", "oven.bakery"), 0).action is Action.ROUTE
    refused = found.route(ask("/", SHOP), 0)
    assert refused.response is not None and refused.response.status == 500


VIRTUAL_SERVICE = {"hosts": ["oven"], "http": [{"route": [{"destination": {"host": "oven", "port": {"number": 80}}}]}]}


@pytest.mark.parametrize("gateways", [(), ("mesh",)])
@pytest.mark.parametrize(
    ("route_created", "service_created", "namespace", "expected"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "other", "bakery/it rules[0]"),
        ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", "other", "bakery/vs http[0]"),
        ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", "bakery", "bakery/it rules[0]"),
    ],
)
def test_a_virtual_service_for_the_same_host(
    route_created: str, service_created: str, namespace: str, expected: str, gateways: tuple[str, ...], ask: Ask
) -> None:
    """One of both has the host alone: the route where it is of the client's namespace, else the oldest."""
    found = table(
        OVEN,
        V2,
        mesh({}, creationTimestamp=route_created),
        document("VirtualService", VIRTUAL_SERVICE, "vs", "bakery", creationTimestamp=service_created),
        identity=client(namespace, *gateways),
    )
    assert str(found.route(ask("/", "oven.bakery"), 0).rule) == expected


def test_service_entries(ask: Ask) -> None:
    entry = {
        "hosts": ["ext.test"],
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "resolution": "STATIC",
        "endpoints": [{"address": "127.0.0.1", "ports": {"http": 9020}}],
    }
    parents = [{"group": "networking.istio.io", "kind": "ServiceEntry", "name": "ext"}]
    to_host = {"group": "networking.istio.io", "kind": "Hostname", "name": "ext.test", "port": 80}
    found = table(document("ServiceEntry", entry, "ext"), route({"backendRefs": [to_host]}, parentRefs=parents))
    decision = found.route(ask("/", "ext.test"), 0)
    assert (where(decision), str(decision.endpoint)) == ("demo/it rules[0] 0", "127.0.0.1:9020")


def test_labels_that_two_backends_have(ask: Ask) -> None:
    """kind: Hostname with the name by which a Service of another namespace is called."""
    entry = {
        "hosts": ["oven.bakery"],
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "resolution": "STATIC",
        "endpoints": [{"address": "127.0.0.1", "ports": {"http": 9020}}],
    }
    to_host = {"group": "networking.istio.io", "kind": "Hostname", "name": "oven.bakery", "port": 80}
    text = mesh({"backendRefs": [backend("oven", namespace="bakery"), to_host]}, namespace="demo")
    found = table(OVEN, document("ServiceEntry", entry, "ext"), text, identity=client("demo"))
    endpoints = [str(found.route(ask("/", "oven.bakery.svc"), draw).endpoint) for draw in (0, 1)]
    assert endpoints == ["127.0.0.1:9010", "127.0.0.1:9020"]


# Where things listen


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("gone.demo.svc.cluster.local", ["127.0.0.1:7", "127.0.0.1:7"]),
        ("gone.demo.svc.cluster.local:80", ["127.0.0.1:7", "None"]),
    ],
)
def test_endpoints_by_option(key: str, expected: list[str], ask: Ask) -> None:
    """They make a Service known that no document declares."""
    text = route({"backendRefs": [backend("gone"), backend("gone", 81)]})
    found = table(text, endpoint_overrides={(key, ""): Endpoint("127.0.0.1", 7)})
    assert [str(found.route(ask("/", SHOP), draw).endpoint) for draw in (0, 1)] == expected


def test_target_ports_and_protocols(ask: Ask) -> None:
    ports = [{"name": "h2", "port": 80, "appProtocol": "kubernetes.io/h2c"}, {"name": "grpc-x", "port": 81}]
    body = {
        "addressType": "IPv4",
        "ports": [{"name": "h2", "port": 9030}, {"name": "grpc-x", "port": 9031}],
        "endpoints": [{"addresses": ["127.0.0.1"]}, {"addresses": ["127.0.0.2"], "conditions": {"ready": False}}],
    }
    texts = [
        document("Service", {"ports": ports, "clusterIP": "None"}, "multi"),
        document("EndpointSlice", body, "multi-1", labels={"kubernetes.io/service-name": "multi"}),
    ]
    found = table(*texts, route({"backendRefs": [backend("multi", 80), backend("multi", 81)]}))
    clusters = [found.route(ask("/", SHOP), draw).cluster for draw in (0, 1)]
    assert [(str(each.endpoints[0]), len(each.endpoints), each.is_http2) for each in clusters if each] == [
        ("127.0.0.1:9030", 1, True),
        ("127.0.0.1:9031", 1, True),
    ]


def test_a_destination_rule_still_applies(ask: Ask) -> None:
    rule = {"host": "a", "trafficPolicy": {"loadBalancer": {"simple": "ROUND_ROBIN"}}}
    decision = table(route({}), document("DestinationRule", rule)).route(ask("/", SHOP), 0)
    assert decision.cluster is not None and decision.cluster.balancer == "ROUND_ROBIN"


# Names, annotations, listings


def test_names_and_annotations(ask: Ask) -> None:
    text = route({"name": "cart", "filters": [mirror()]}, annotations={"mirror-addon/methods": "safe"})
    found = table(text)
    decision = found.route(ask("/", SHOP, method="POST"), 0)
    rule = decision.rule
    assert rule is not None
    assert (rule.route, rule.virtual_service, rule.rule, rule.name, str(rule)) == (
        "demo/it", "", "rules[0]", "cart", "demo/it rules[0]",
    )  # fmt: skip
    assert rule.location.startswith("rules.yaml:")
    assert [each.skipped for each in decision.mirrors] == ["method"]
    assert [str(each) for each in found.mirroring] == ["demo/it rules[0]"]


def test_the_listing_names_all_hosts_of_a_rule() -> None:
    (view,) = rule_views(table(route({"matches": [path("/a"), path("/b", "Exact")]}, hostnames=["x.test", "y.test"])))
    assert view.hosts == ("x.test", "y.test")
    assert view.matches == ("path is '/b'", "path is '/a' or below it")


def test_the_trace_tells_the_order(ask: Ask) -> None:
    lines = explain(table(route({}, {"matches": [path("/a")]})), ask("/b", SHOP), 0)
    assert lines[1:3] == [
        "demo/it rules[1] match[0]: no: path is '/a' or below it, but it is '/b'",
        "demo/it rules[0] match[0]: matches: any path",
    ]


def test_the_trace_of_an_unresolved_backend(ask: Ask) -> None:
    lines = explain(table(route({"backendRefs": [backend("gone")]})), ask("/", SHOP), 0)
    assert any(line.startswith("destination gone: 500: no endpoint for gone") for line in lines)


def test_many_rules_are_found_as_few(ask: Ask) -> None:
    """The candidates of a path are few, however many rules there are."""
    texts = [
        route(*({"matches": [path(f"/p/{number}/{index}")]} for index in range(16)), name=f"r{number}")
        for number in range(100)
    ]
    found = table(*texts)
    assert where(found.route(ask("/p/99/15/x", SHOP), 0)) == "demo/r99 rules[15] 0"
    assert where(found.route(ask("/p/99/155", SHOP), 0)) == "not_found"
    tested: list[Any] = []
    index = found.hosts.find(SHOP.encode()).at(80)  # type: ignore[union-attr]
    index._cased.collect(b"/p/99/15/x", tested)  # type: ignore[union-attr]
    assert sum(map(len, tested)) == 1


def test_tls_by_policy(ask: Ask) -> None:
    """For the backend and for the mirror, by the policy's host name."""
    policy = {
        "targetRefs": [{"group": "", "kind": "Service", "name": name} for name in "am"],
        "validation": {"hostname": "tls.test", "wellKnownCACertificates": "System"},
    }
    decision = table(route({"filters": [mirror()]}), document("BackendTLSPolicy", policy)).route(ask("/", SHOP), 0)
    assert decision.cluster is not None and decision.cluster.tls is not None
    assert (decision.cluster.tls.sni, decision.cluster.tls.subject_alt_names) == ("tls.test", ("tls.test",))
    assert decision.mirrors[0].cluster.tls == decision.cluster.tls


def test_the_trace_names_routes_that_do_not_apply(ask: Ask) -> None:
    found = table(gateway({"port": 80, "hostname": "*.test"}), route({}, hostnames=["a.org"], name="lost"))
    assert explain(found, ask("/", "a.org"), 0)[0].startswith(
        "HTTPRoute demo/lost: not used: no host name of this route"
    )
    found = table(OVEN, V2, mesh({}, namespace="demo"), route({}), identity=client("other", "mesh"))
    assert explain(found, ask("/", SHOP), 0) == [
        "HTTPRoute demo/it: not used: it is for mesh, or for clients in another namespace",
        "HTTPRoute demo/it: not used: it is for demo/edge, or for clients in another namespace",
        f"host '{SHOP}': no rule claims it; the request passes through",
    ]


def test_the_trace_names_the_ports_of_a_host(ask: Ask) -> None:
    lines = explain(table(gateway({"port": 80}, {"port": 443}), route({})), ask("/", f"{SHOP}:8080", port=8080), 0)
    assert lines == [f"host '{SHOP}:8080': no rule claims it on port 8080, but on 80, 443; the request passes through"]


def test_a_slice_without_its_service(ask: Ask) -> None:
    """Its only port is meant by every reference; the option wins."""
    body = {"addressType": "IPv4", "ports": [{"port": 9040}], "endpoints": [{"addresses": ["127.0.0.1"]}]}
    texts = [
        document("EndpointSlice", body, "alone-1", labels={"kubernetes.io/service-name": "alone"}),
        route({"backendRefs": [backend("alone"), backend("alone", 81)]}),
    ]
    found = table(*texts)
    assert [str(found.route(ask("/", SHOP), draw).endpoint) for draw in (0, 1)] == ["127.0.0.1:9040"] * 2
    found = table(*texts, endpoint_overrides={("alone.demo.svc.cluster.local:81", ""): Endpoint("127.0.0.1", 7)})
    assert [str(found.route(ask("/", SHOP), draw).endpoint) for draw in (0, 1)] == ["127.0.0.1:9040", "127.0.0.1:7"]
