from __future__ import annotations

from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.routing.endpoint_slices import instances_by_service
from mirror_addon.routing.services import MeshService
from mirror_addon.routing.services import build_services

HOST = "b.shop.svc.cluster.local"
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: b, namespace: shop}
spec:
  selector: {app: b}
  ports: [{name: http, port: 80, targetPort: web}, {name: grpc, port: 90}, {name: dns, port: 53, protocol: UDP}]
---
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: b-1, namespace: shop, labels: {app: b, version: v1}}
---
"""


def slice_text(endpoints: str, ports: str = "{name: http, port: 8080}", name: str = "b", more: str = "") -> str:
    return f"""
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: shop, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
endpoints: [{endpoints}]
ports: [{ports}]
{more}
---
"""


def services(*texts: str) -> dict[str, MeshService]:
    parsed = parse_sources([Source("f", "".join(texts).encode())])
    assert not [found for found in parsed.diagnostics if found.severity == "error"]
    return build_services(parsed.resources, "cluster.local")


def found(*texts: str) -> list[tuple[str, dict[int, int]]]:
    return [(item.address, item.ports) for item in services(*texts)[HOST].instances]


def test_ports_are_found_by_name() -> None:
    ports = "{name: grpc, port: 9090}, {name: http, port: 8080}, {name: dns, port: 5353, protocol: UDP}, {name: other}"
    assert found(slice_text("{addresses: [10.0.0.1]}", ports), SERVICE) == [("10.0.0.1", {80: 8080, 90: 9090})]


def test_the_port_without_a_name() -> None:
    service = SERVICE.replace("name: http, ", "").replace(", {name: grpc, port: 90}", "")
    assert found(service, slice_text("{addresses: [10.0.0.1]}", "{port: 8080}")) == [("10.0.0.1", {80: 8080})]


def test_endpoints_that_are_not_ready_get_nothing() -> None:
    endpoints = (
        "{addresses: [10.0.0.1], conditions: {ready: false, serving: true, terminating: true}}, "
        "{addresses: [10.0.0.2], conditions: {ready: true}}, {addresses: [10.0.0.3], conditions: {}}, {}"
    )
    assert [address for address, _ in found(SERVICE, slice_text(endpoints))] == ["10.0.0.2", "10.0.0.3"]


def test_slices_add_up_and_an_address_counts_once() -> None:
    one = slice_text("{addresses: [10.0.0.1]}, {addresses: [10.0.0.1, 10.0.0.2]}")
    two = slice_text('{addresses: [10.0.0.2]}, {addresses: ["::1"]}')
    assert [address for address, _ in found(SERVICE, one, two)] == ["10.0.0.1", "10.0.0.2", "::1"]


def test_slices_of_others() -> None:
    other = slice_text("{addresses: [10.0.0.1]}", name="c")
    elsewhere = slice_text("{addresses: [10.0.0.2]}").replace("namespace: shop", "namespace: else")
    names = slice_text("{addresses: [b.example]}").replace("IPv4", "FQDN")
    bare = slice_text("{addresses: [10.0.0.3]}").replace("kubernetes.io/service-name: b", "")
    assert found(SERVICE, other, elsewhere, names, bare) == []


def test_labels_are_those_of_the_pod() -> None:
    endpoints = (
        "{addresses: [10.0.0.1], targetRef: {kind: Pod, name: b-1}, hostname: b-1}, "
        "{addresses: [10.0.0.2], targetRef: {kind: Pod, name: unknown, namespace: shop}}, "
        "{addresses: [10.0.0.3], targetRef: {kind: Node, name: b-1}}, {addresses: [10.0.0.4]}"
    )
    instances = services(SERVICE, POD, slice_text(endpoints))[HOST].instances
    assert [item.labels.get("version") for item in instances] == ["v1", None, None, None]
    parsed = parse_sources([Source("f", slice_text(endpoints).encode())])
    names = [item.hostname for item in instances_by_service(parsed.resources)["shop", "b"]]
    assert names == ["b-1", "", "", ""]


def test_a_service_entry_says_where_the_host_listens_here() -> None:
    entry = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: b, namespace: shop}
spec:
  hosts: [b.shop.svc.cluster.local]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 127.0.0.1, ports: {http: 9001}}]
---
"""
    assert found(SERVICE, slice_text("{addresses: [10.0.0.1]}"), entry) == [("127.0.0.1", {80: 9001})]
    assert found(SERVICE, slice_text("{addresses: [10.0.0.1]}"), entry.replace("endpoints:", "addresses: []  #")) == [
        ("10.0.0.1", {80: 8080})
    ]
