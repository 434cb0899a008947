from __future__ import annotations

import pytest
from inittools import V1_AND_V2
from inittools import destination_rule
from inittools import http_route
from inittools import loaded
from inittools import service
from inittools import virtual_service

from mirror_addon.local_endpoints.places import Found
from mirror_addon.local_endpoints.places import find_places


def found(text: str, namespace: str = "default") -> Found:
    resources, table = loaded(text, namespace)
    return find_places(table, resources)


def to(host: str, more: str = "") -> str:
    return virtual_service(f"    - route: [{{destination: {{host: {host}{more}}}}}]\n")


def entry(
    host: str, endpoints: str, ports: str = "[{number: 80, name: http, protocol: HTTP}]", how: str = "STATIC"
) -> str:
    return (
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: there}\n"
        f"spec: {{hosts: [{host}], ports: {ports}, resolution: {how}, location: MESH_INTERNAL, endpoints: {endpoints}}}"
        "\n---\n"
    )


def test_subsets_in_the_order_of_the_rules() -> None:
    (host,) = found(V1_AND_V2).missing
    assert (host.host, host.namespace) == ("cart.default.svc.cluster.local", "default")
    assert [(place.subset, place.uses) for place in host.places] == [
        ("v1", ["default/shop http[0]"]),
        ("v2", ["mirror of default/shop http[0]"]),
    ]
    assert host.places[1].labels == {"version": "v2"}
    assert [(port.number, port.name, port.protocol) for port in host.ports.values()] == [(80, "http", "http")]


def test_ports_and_protocols_are_the_services_own() -> None:
    declared = service("cart", "[{port: 8080, name: http}, {port: 50051, name: api, appProtocol: grpc}]")
    (host,) = found(declared + to("cart", ", port: {number: 50051}")).missing
    assert [(port.number, port.name, port.protocol) for port in host.ports.values()] == [(50051, "api", "grpc")]
    (host,) = found(declared + to("cart")).missing
    assert list(host.ports) == [8080, 50051]
    (host,) = found(to("cart", ", port: {number: 9090}")).missing
    assert [(port.number, port.name) for port in host.ports.values()] == [(9090, "http-9090")]


def test_a_port_that_is_not_said_is_the_one_that_is() -> None:
    both = """
    - route: [{destination: {host: cart}, weight: 1}, {destination: {host: cart, port: {number: 8080}}, weight: 1}]
"""
    (host,) = found(virtual_service(both)).missing
    assert list(host.ports) == [8080]


def test_subsets_that_no_rule_names_need_an_endpoint_too() -> None:
    """`check` would call them empty, and a Destination without a subset means all of them."""
    (host,) = found(to("cart") + destination_rule("cart", v1="{version: v1}", v2="{version: v2}")).missing
    assert [(place.subset, bool(place.uses)) for place in host.places] == [("", True), ("v1", False), ("v2", False)]


def test_the_next_version_has_the_weight_0() -> None:
    rules = """
    - route:
      - {destination: {host: cart, subset: v1}, weight: 100}
      - {destination: {host: cart, subset: v2}, weight: 0}
"""
    text = virtual_service(rules) + destination_rule("cart", v1="{version: v1}", v2="{version: v2}")
    (host,) = found(text).missing
    assert [place.uses for place in host.places] == [["default/shop http[0]"], ["default/shop http[0], weight 0"]]


def test_what_has_an_endpoint_is_left_alone() -> None:
    v1 = entry("cart.default.svc.cluster.local", "[{address: 10.0.0.1, labels: {version: v1}}]")
    partly = found(V1_AND_V2 + v1)
    assert partly.placed == {"cart/v1": "10.0.0.1:80"}
    assert [[place.subset for place in host.places] for host in partly.missing] == [["v2"]]
    everything = found(to("api.example.com") + entry("api.example.com", "[]", how="DNS"))
    assert (everything.missing, everything.placed) == ([], {"api.example.com": "api.example.com:80"})
    dynamic = (
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: dynamic}\n"
        "spec: {hosts: ['*.example.com'], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DYNAMIC_DNS}\n"
        "---\n"
    )
    assert found(dynamic + to("'*.example.com'")).placed == {"*.example.com": "the request's host"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            V1_AND_V2.replace("subset: v2", "subset: v3"),
            "no DestinationRule declares the subset cart/v3; there are v1, v2",
        ),
        (to("cart", ", subset: v1"), "no DestinationRule declares the subset cart/v1; add it to spec.subsets"),
        (
            service("cart", "[{port: 80}]") + to("cart", ", port: {number: 81}"),
            "has no port 81; it has: 80; correct the port",
        ),
        (
            to("10.0.0.1"),
            "the destination 10.0.0.1 an IP address or a number is not a domain name; name a service there",
        ),
        (to("'*'"), "the destination * names every host; name a service there"),
    ],
)
def test_what_a_cluster_does_not_route_either(text: str, problem: str) -> None:
    found_here = found(text)
    assert len(found_here.problems) == 1
    assert problem in found_here.problems[0]
    assert not any(place.subset == "v3" for host in found_here.missing for place in host.places)


ALIAS = (
    "apiVersion: v1\nkind: Service\nmetadata: {name: NAME}\n"
    "spec: {type: ExternalName, externalName: TARGET, ports: [{port: 80}]}\n---\n"
)


def test_references_that_no_endpoint_helps() -> None:
    """A kind that is no backend, and an ExternalName Service behind another one."""
    other = http_route("[{backendRefs: [{kind: Bucket, name: cart, port: 80}]}]")
    problems = found(other).problems
    assert len(problems) == 1 and "Bucket is no backend here" in problems[0]
    chain = ALIAS.replace("NAME", "one").replace("TARGET", "two.default.svc.cluster.local")
    chain += ALIAS.replace("NAME", "two").replace("TARGET", "api.example.com")
    problems = found(chain + to("one")).problems
    assert len(problems) == 1 and "Istio follows only one" in problems[0]
    (host,) = found(ALIAS.replace("NAME", "one").replace("TARGET", "api.example.com") + to("one")).missing
    assert host.host == "api.example.com"


def test_services_that_only_routes_name() -> None:
    route = http_route("[{backendRefs: [{name: cart, port: 80}]}]", namespace="shop")
    (host,) = found(route).missing
    assert (host.host, host.of_routes, host.known) == ("cart.shop.svc.cluster.local", True, False)
    both = route + service("cart", "[{port: 80, name: web}]", "shop") + to("cart.shop.svc.cluster.local")
    (host,) = found(both).missing
    assert (host.of_routes, host.known, host.ports[80].name) == (False, True, "web")


def test_namespaces() -> None:
    shop = virtual_service("    - route: [{destination: {host: cart}}]\n", namespace="shop")
    (host,) = found(shop).missing
    assert (host.host, host.namespace) == ("cart.shop.svc.cluster.local", "shop")
    outside = virtual_service("    - route: [{destination: {host: api.example.com, subset: v1}}]\n", namespace="shop")
    (host,) = found(outside + destination_rule("api.example.com", "net", v1="{version: v1}"), "net").missing
    assert host.namespace == "net"
    (host,) = found(virtual_service("    - route: [{destination: {host: a.test}}]\n", namespace="shop")).missing
    assert host.namespace == "shop"


def test_responses_of_the_proxy_need_no_destination_and_each_use_stands_once() -> None:
    rules = virtual_service(
        """
    - match: [{uri: {prefix: /old}}]
      redirect: {uri: /new}
    - match: [{uri: {prefix: /a}}]
      route: [{destination: {host: cart}, weight: 50}, {destination: {host: cart}, weight: 50}]
    - directResponse: {status: 200}
"""
    )
    (host,) = found(rules).missing
    assert host.places[0].uses == ["default/shop http[1]"]
    assert found(virtual_service("    - directResponse: {status: 200}\n")).missing == []
