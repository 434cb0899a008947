from __future__ import annotations

from mirror_addon.istio.endpoint_slices import SliceInstance
from mirror_addon.istio.endpoint_slices import instances_by_service
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources

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


def found(*texts: str) -> list[tuple[str, dict[str, int]]]:
    return [(item.address, dict(item.ports)) for item in instances(*texts)]


def instances(*texts: str) -> list[SliceInstance]:
    parsed = parse_sources([Source("f", "".join(texts).encode())])
    assert parsed.diagnostics == ()
    return instances_by_service(parsed.resources).get(("shop", "b"), [])


def test_ports_have_the_names_of_the_services_ports() -> None:
    ports = "{name: grpc, port: 9090}, {name: http, port: 8080}, {name: dns, port: 5353, protocol: UDP}, {name: other}"
    assert found(slice_text("{addresses: [10.0.0.1]}", ports)) == [("10.0.0.1", {"http": 8080, "grpc": 9090})]
    assert found(slice_text("{addresses: [10.0.0.1]}", "{port: 8080}")) == [("10.0.0.1", {"": 8080})]


def test_endpoints_that_are_not_ready_get_nothing() -> None:
    endpoints = (
        "{addresses: [10.0.0.1], conditions: {ready: false, serving: true, terminating: true}}, "
        "{addresses: [10.0.0.2], conditions: {ready: true}}, {addresses: [10.0.0.3], conditions: {}}, {}"
    )
    assert [address for address, _ in found(slice_text(endpoints))] == ["10.0.0.2", "10.0.0.3"]


def test_slices_add_up_and_an_address_counts_once() -> None:
    one = slice_text("{addresses: [10.0.0.1]}, {addresses: [10.0.0.1, 10.0.0.2]}")
    two = slice_text('{addresses: [10.0.0.2]}, {addresses: ["::1"]}')
    assert [address for address, _ in found(one, two)] == ["10.0.0.1", "10.0.0.2", "::1"]


def test_slices_of_others() -> None:
    other = slice_text("{addresses: [10.0.0.1]}", name="c")
    elsewhere = slice_text("{addresses: [10.0.0.2]}").replace("namespace: shop", "namespace: else")
    names = slice_text("{addresses: [b.example]}").replace("IPv4", "FQDN")
    bare = slice_text("{addresses: [10.0.0.3]}").replace("kubernetes.io/service-name: b", "")
    assert found(other, elsewhere, names, bare) == []


def test_labels_are_those_of_the_pod() -> None:
    endpoints = (
        "{addresses: [10.0.0.1], targetRef: {kind: Pod, name: b-1}, hostname: b-1}, "
        "{addresses: [10.0.0.2], targetRef: {kind: Pod, name: unknown, namespace: shop}}, "
        "{addresses: [10.0.0.3], targetRef: {kind: Node, name: b-1}}, {addresses: [10.0.0.4]}"
    )
    labelled = instances(POD, slice_text(endpoints))
    assert [item.labels.get("version") for item in labelled] == ["v1", None, None, None]
    assert [item.hostname for item in labelled] == ["b-1", "", "", ""]
