"""Where routes apply, and why they do not."""

# ruff: noqa: E501 - a row of a table is a line
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.gateway_api.attachment import Attacher
from mirror_addon.gateway_api.attachment import gateway_names

Make = Callable[..., str]
LISTENERS = (
    "[{name: any, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}, "
    "{name: wild, port: 80, protocol: HTTP, hostname: '*.shop.test', allowedRoutes: {namespaces: {from: All}}}, "
    "{name: own, port: 8080, protocol: HTTP, hostname: own.test}, "
    "{name: grpc, port: 9090, protocol: HTTP, allowedRoutes: {namespaces: {from: All}, kinds: [{kind: GRPCRoute}]}}]"
)


@pytest.fixture(scope="module")
def world(make: Make) -> list[str]:
    ports = "ports: [{name: http, port: 80}, {name: admin, port: 9000}]"
    return [
        make("Gateway", f"{{gatewayClassName: istio, listeners: {LISTENERS}}}", name="edge", namespace="infra"),
        make("Service", f"{{{ports}}}", name="oven", namespace="bakery"),
        make(
            "ServiceEntry",
            "{hosts: [ext.test, EXT2.test], ports: [{number: 80, name: h, protocol: HTTP}], resolution: DNS}",
            name="ext",
            namespace="bakery",
        ),
    ]


def attach(world: list[str], make: Make, resources: Any, parents: str, hostnames: str = "[]", **where: Any) -> Any:
    where = {"kind": "HTTPRoute", **where}
    rules = "rules: [{backendRefs: [{name: a, port: 80}]}]"
    text = make(where.pop("kind"), f"{{parentRefs: {parents}, hostnames: {hostnames}, {rules}}}", **where)
    read = resources(*world, text)
    return Attacher(read).attach(read[-1])


@pytest.mark.parametrize(
    ("parents", "hostnames", "found"),
    [
        ("[{name: edge, namespace: infra}]", "[]", [("*", 80, "any"), ("*.shop.test", 80, "wild")]),
        ("[{name: edge, namespace: infra}]", "[a.shop.test]", [("a.shop.test", 80, "wild")]),
        ("[{name: edge, namespace: infra}]", "[other.test]", [("other.test", 80, "any")]),
        ("[{name: edge, namespace: infra, sectionName: any}]", "[a.shop.test]", []),
        ("[{name: edge, namespace: infra, sectionName: any}]", "[a.shop.test, b.test]", [("b.test", 80, "any")]),
        ("[{name: edge, namespace: infra, sectionName: wild}]", "[]", [("*.shop.test", 80, "wild")]),
        (
            "[{name: edge, namespace: infra, sectionName: wild}]",
            "['*.a.shop.test', b.test]",
            [("*.a.shop.test", 80, "wild")],
        ),
        ("[{name: edge, namespace: infra, port: 80}]", "[b.test]", [("b.test", 80, "any")]),
    ],
)
def test_listeners(parents: str, hostnames: str, found: list[Any], world: Any, make: Make, resources: Any) -> None:
    attached = attach(world, make, resources, parents, hostnames)
    assert [(item.host, item.port, item.scope.rpartition("/")[2]) for item in attached.attachments] == found
    assert {item.gateway for item in attached.attachments} <= {"infra/edge"}
    assert not attached.refused and not attached.assumed


@pytest.mark.parametrize(
    ("parents", "hostnames", "code", "said"),
    [
        (
            "[{name: edge, namespace: infra, sectionName: nope}]",
            "[]",
            "NoMatchingParent",
            "no listener has the name nope; there are: any, wild, own, grpc",
        ),
        (
            "[{name: edge, namespace: infra, port: 81}]",
            "[]",
            "NoMatchingParent",
            "no listener has the port 81; there are: 80, 8080, 9090",
        ),
        ("[{name: edge, namespace: infra, port: 80, sectionName: own}]", "[]", "NoMatchingParent", "no listener has"),
        (
            "[{name: edge, namespace: infra, sectionName: own}]",
            "[]",
            "NotAllowedByListeners",
            "the listener own admits routes from its own namespace infra, not from demo",
        ),
        (
            "[{name: edge, namespace: infra, sectionName: wild}]",
            "[b.test]",
            "NoMatchingListenerHostname",
            "no host name of this route fits that of the listener wild, *.shop.test",
        ),
        (
            "[{name: edge, namespace: infra, sectionName: grpc}]",
            "[]",
            "NotAllowedByListeners",
            "the listener grpc (HTTP) admits no HTTPRoute",
        ),
        (
            "[{name: x, kind: Backend, group: x.io}]",
            "[]",
            "NoMatchingParent",
            "Backend of the group 'x.io' is no parent that is known",
        ),
        (
            "[{group: '', kind: Service, name: oven, namespace: bakery, port: 81}]",
            "[]",
            "NoMatchingParent",
            "the Service bakery/oven has no port 81; it has: 80, 9000",
        ),
        (
            "[{group: '', kind: Service, name: oven, namespace: bakery, sectionName: x}]",
            "[]",
            "NoMatchingParent",
            "the Service bakery/oven has no port x",
        ),
        (
            "[{group: networking.istio.io, kind: ServiceEntry, name: gone}]",
            "[]",
            "NoMatchingParent",
            "the ServiceEntry demo/gone is not among the documents",
        ),
    ],
)
def test_refusals(parents: str, hostnames: str, code: str, said: str, world: Any, make: Make, resources: Any) -> None:
    attached = attach(world, make, resources, parents, hostnames)
    assert attached.attachments == []
    assert attached.refused[0].code == code
    assert attached.refused[0].message.startswith(said)


def test_a_gateway_that_is_not_there_admits_its_routes(world: Any, make: Make, resources: Any) -> None:
    attached = attach(world, make, resources, "[{name: far}, {name: far2, port: 8080}]", "[a.b, '*.C']".lower())
    assert [(item.gateway, item.host, item.port) for item in attached.attachments] == [
        ("demo/far", "a.b", 0),
        ("demo/far", "*.c", 0),
        ("demo/far2", "a.b", 8080),
        ("demo/far2", "*.c", 8080),
    ]
    assert sorted(attached.assumed) == [0, 1]
    assert attach(world, make, resources, "[{name: far}]").attachments[0].host == "*"


@pytest.mark.parametrize(
    ("parent", "found"),
    [
        ("{group: '', kind: Service, name: oven, namespace: bakery}", [("oven.bakery.svc.cluster.local", 0)]),
        (
            "{group: core, kind: Service, name: oven, namespace: bakery, port: 80}",
            [("oven.bakery.svc.cluster.local", 80)],
        ),
        (
            "{group: '', kind: Service, name: oven, namespace: bakery, sectionName: admin}",
            [("oven.bakery.svc.cluster.local", 9000)],
        ),
        ("{group: '', kind: Service, name: far, sectionName: admin}", [("far.demo.svc.cluster.local", 0)]),
        (
            "{group: networking.istio.io, kind: ServiceEntry, name: ext, namespace: bakery, port: 80}",
            [("ext.test", 80), ("ext2.test", 80)],
        ),
    ],
)
def test_the_mesh(parent: str, found: list[Any], world: Any, make: Make, resources: Any) -> None:
    """The route's own host names do not matter there."""
    attached = attach(world, make, resources, f"[{parent}]", "[ignored.test]")
    assert [(item.host, item.port) for item in attached.attachments] == found
    assert {(item.gateway, item.scope) for item in attached.attachments} == {("mesh", "demo")}
    assert not attached.refused
    assert bool(attached.assumed) is ("far" in parent)


def test_listener_sets(make: Make, resources: Any) -> None:
    """A route of the set reaches no listener of the Gateway, nor the reverse."""
    gateway = "{gatewayClassName: x, allowedListeners: {namespaces: {from: All}}, listeners: [{name: a, port: 80, protocol: HTTP}]}"
    own = "{parentRef: {name: edge}, listeners: [{name: b, port: 81, protocol: HTTP}, {name: c, port: 80, protocol: HTTP}]}"
    lost = "{parentRef: {name: edge, kind: Other}, listeners: [{name: b, port: 81, protocol: HTTP}]}"
    world = [
        make("Gateway", gateway, name="edge"),
        make("ListenerSet", own, name="set"),
        make("ListenerSet", lost, name="lost"),
    ]
    attached = attach(world, make, resources, "[{kind: ListenerSet, name: set}]")
    assert [(item.gateway, item.port) for item in attached.attachments] == [("demo/edge", 81)]
    attached = attach(world, make, resources, "[{name: edge}]")
    assert [(item.gateway, item.port) for item in attached.attachments] == [("demo/edge", 80)]
    refused = attach(world, make, resources, "[{kind: ListenerSet, name: set, sectionName: c}]").refused[0]
    assert (refused.code, refused.message.partition(":")[0]) == ("Conflicted", "the listener c is not used")
    refused = attach(world, make, resources, "[{kind: ListenerSet, name: lost}]").refused[0]
    assert refused.message == "the ListenerSet demo/lost is not used: the parentRef of a ListenerSet is a Gateway"


def test_host_names_without_a_listener_are_named(world: Any, make: Make, resources: Any) -> None:
    attached = attach(
        world, make, resources, "[{name: edge, namespace: infra, sectionName: wild}]", "[a.shop.test, b.test]"
    )
    assert attached.hosts == {0: ["b.test"]}


def test_two_parents_that_are_one(world: Any, make: Make, resources: Any) -> None:
    parents = "[{name: edge, namespace: infra, sectionName: any}, {name: edge, namespace: infra, port: 80}]"
    attached = attach(world, make, resources, parents, "[b.test]")
    assert len(attached.attachments) == 1


def test_names_of_gateways(make: Make, resources: Any) -> None:
    parents = "[{name: a}, {name: b, namespace: c, sectionName: d}, {kind: ListenerSet, name: e}, {group: '', kind: Service, name: f}]"
    (route,) = resources(make("HTTPRoute", f"{{parentRefs: {parents}}}"))
    assert gateway_names(route) == {"demo/a", "c/b", "demo/e"}


@pytest.mark.parametrize(
    ("parent", "port", "said"),
    [
        ("name: far", 0, "on any port"),
        ("name: far, port: 8080", 8080, "on port 8080"),
        ("name: far, sectionName: https", 0, "on any port, whatever listener is called https; add it"),
        ("name: far, sectionName: https, port: 443", 443, "on port 443, whatever listener is called https; add it"),
        (
            "kind: ListenerSet, name: far, sectionName: https",
            0,
            "on any port, whatever listener is called https; add it",
        ),
    ],
)
def test_a_section_of_a_gateway_that_is_not_there(
    parent: str, port: int, said: str, world: Any, make: Make, resources: Any
) -> None:
    attached = attach(world, make, resources, f"[{{{parent}}}]", "[a.b]")
    assert [(item.gateway, item.host, item.port) for item in attached.attachments] == [("demo/far", "a.b", port)]
    assert said in attached.assumed[0] and not attached.refused
