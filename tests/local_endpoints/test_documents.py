from __future__ import annotations

from typing import Any

import yaml

from mirror_addon.local_endpoints.assignment import LocalHost
from mirror_addon.local_endpoints.assignment import assign
from mirror_addon.local_endpoints.documents import endpoint_lines
from mirror_addon.local_endpoints.documents import endpoints_file
from mirror_addon.local_endpoints.places import HostPlaces
from mirror_addon.local_endpoints.places import Place
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.services import Port

CART, API = "cart.default.svc.cluster.local", "api.example.com"


def hosts(*names: str, given: dict[tuple[str, str], Endpoint] | None = None) -> list[LocalHost]:
    ports = {80: Port(80, "", "http"), 50051: Port(50051, "api", "grpc-web")}
    places = [Place("v1", {"version": "v1"}, ["default/shop http[0]"]), Place("v2", {"version": "v2"})]
    return assign([HostPlaces(name, "shop", ports=dict(ports), places=list(places)) for name in names], given or {}, [])


def documents(*names: str, given: dict[tuple[str, str], Endpoint] | None = None) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(endpoints_file(hosts(*names, given=given), "mirror-addon init")))


def test_a_service_entry_for_each_host_that_clusters_ignore() -> None:
    cart, _ = documents(CART, API)
    assert cart["metadata"] == {
        "name": "local-cart",
        "namespace": "shop",
        "labels": {"istio.io/rev": "mirror-addon-local"},
    }
    assert cart["spec"]["hosts"] == [CART] and cart["spec"]["resolution"] == "STATIC"
    assert cart["spec"]["ports"] == [
        {"number": 80, "name": "http-80", "protocol": "HTTP"},
        {"number": 50051, "name": "api", "protocol": "GRPC-WEB"},
    ]
    assert cart["spec"]["endpoints"] == [
        {"address": "127.0.0.1", "labels": {"version": "v1"}, "ports": {"http-80": 9001, "api": 9002}},
        {"address": "127.0.0.1", "labels": {"version": "v2"}, "ports": {"http-80": 9003, "api": 9004}},
    ]


def test_names_are_short_and_each_is_used_once() -> None:
    long = f"{'x' * 60}.{'y' * 60}.svc.cluster.local"
    names = [each["metadata"]["name"] for each in documents(CART, "api.example.com", "api-example.com", long, long)]
    assert names[:3] == ["local-cart", "local-api-example-com", "local-api-example-com-2"]
    assert len(set(names)) == 5 and max(map(len, names)) <= 63


def test_host_names_are_resolved() -> None:
    (cart,) = documents(CART, given={(CART, ""): Endpoint("localhost", 80)})
    assert cart["spec"]["resolution"] == "DNS"


def test_the_comment_says_what_the_file_is_for() -> None:
    text = endpoints_file(hosts(CART), "mirror-addon init --rules 'a b'")
    comment = text.partition("\n---\n")[0].splitlines()
    assert all(line.startswith("#") for line in comment)
    assert "Not for a cluster" in comment[1] and "istiod ignores them" in comment[2]
    assert "EndpointSlice" not in text
    assert "# Made by: mirror-addon init --rules 'a b'" in comment
    assert "# cart:80/v1     127.0.0.1:9001  default/shop http[0]" in comment


def test_lines_for_people() -> None:
    bracketed = hosts(API, "cart.shop.svc.cluster.local", given={(API, ""): Endpoint("::1", 80)})
    assert list(endpoint_lines(bracketed))[2:5] == [
        ("api.example.com:80/v2", "[::1]:80", "no rule names it"),
        ("api.example.com:50051/v2", "[::1]:80", "no rule names it"),
        ("cart.shop:80/v1", "127.0.0.1:9001", "default/shop http[0]"),
    ]


def of_routes(address: str = "127.0.0.1", known: bool = True, **ports: int) -> list[LocalHost]:
    """A host that only routes of the Gateway API name."""
    declared = {number: Port(number, name, "http") for name, number in (ports or {"http": 80}).items()}
    host = "cart.shop.svc.cluster.local"
    places = HostPlaces(host, "shop", of_routes=True, known=known, ports=declared, places=[Place("", {}, ["shop/r"])])
    return assign([places], {(host, ""): Endpoint(address, 9001)} if address != "127.0.0.1" else {}, [])


def test_an_endpoint_slice_for_services_of_the_gateway_api() -> None:
    text = endpoints_file(of_routes(http=80, api=81), "mirror-addon init")
    assert "EndpointSlices: an API server refuses loopback addresses" in text and "istiod" not in text
    (found,) = yaml.safe_load_all(text)
    assert found["kind"] == "EndpointSlice" and found["addressType"] == "IPv4"
    assert found["metadata"]["namespace"] == "shop"
    assert found["metadata"]["labels"]["kubernetes.io/service-name"] == "cart"
    assert found["ports"] == [{"name": "http", "port": 9001}, {"name": "api", "port": 9002}]
    assert found["endpoints"] == [{"addresses": ["127.0.0.1"]}]
    (found,) = yaml.safe_load_all(endpoints_file(of_routes("::1"), ""))
    assert found["addressType"] == "IPv6"


def test_service_entries_where_a_slice_would_not_be_used() -> None:
    """Host names are not used, and several ports of a Service that is not there cannot be told apart."""
    for hosts_here in (of_routes("localhost"), of_routes(known=False, http=80, api=81)):
        (found,) = yaml.safe_load_all(endpoints_file(hosts_here, ""))
        assert found["kind"] == "ServiceEntry"
