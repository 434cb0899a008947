from __future__ import annotations

import pytest

from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.istio.resources.service_entry import WorkloadEntrySpec
from mirror_addon.routing.services import MeshService
from mirror_addon.routing.services import declared_services
from mirror_addon.routing.services import workload_labels


def test_metadata_wins_over_the_workloads_own_labels() -> None:
    spec = WorkloadEntrySpec(labels={"a": "spec", "b": "spec"}, locality="eu/west", network="n")
    assert workload_labels(spec, {"a": "metadata"}) == {
        "a": "metadata",
        "b": "spec",
        "topology.kubernetes.io/region": "eu",
        "topology.kubernetes.io/zone": "west",
        "topology.istio.io/network": "n",
    }


def test_every_host_of_an_entry_is_a_service() -> None:
    text = b"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: one, namespace: ns}
spec:
  hosts: [a.com, b.com]
  addresses: [10.1.1.1, 10.2.0.0/16]
  exportTo: [x]
  ports: [{number: 80, name: http}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.1, weight: 5}]
"""
    services = list(declared_services(parse_sources([Source("x", text)]).resources, "cluster.local"))
    assert [(service.host, service.namespace, service.export_to) for service in services] == [
        ("a.com", "ns", ("x",)),
        ("b.com", "ns", ("x",)),
    ]
    assert [list(service.ports) for service in services] == [[80], [80]]
    assert [(item.address, item.weight) for item in services[0].instances] == [("10.0.0.1", 5)]
    assert services[1].addresses == ["10.1.1.1"]
    assert not services[0].is_kubernetes


def kubernetes(spec: str, annotations: str = "{}") -> MeshService:
    text = (
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: ns, annotations: {annotations}}}\nspec: {spec}"
    )
    (service,) = declared_services(parse_sources([Source("x", text.encode())]).resources, "cluster.local")
    return service


def test_a_kubernetes_service_says_in_an_annotation_who_sees_it() -> None:
    service = kubernetes("{ports: [{port: 80}]}", '{networking.istio.io/exportTo: "., other"}')
    assert (service.host, service.export_to, service.is_kubernetes) == ("s.ns.svc.cluster.local", (".", "other"), True)
    assert kubernetes("{}", '{networking.istio.io/exportTo: ""}').export_to == ()


def test_headless_and_external_name() -> None:
    assert kubernetes("{clusterIP: None}").headless
    assert not kubernetes("{clusterIP: 10.0.0.1}").headless
    external = kubernetes("{type: ExternalName, externalName: real.com, selector: {app: a}, ports: [{port: 80}]}")
    assert (external.alias_for, list(external.ports), external.instances) == ("real.com", [80], [])
    assert kubernetes("{type: ClusterIP, externalName: real.com}").alias_for == ""


def test_udp_is_left_out() -> None:
    assert list(kubernetes("{ports: [{port: 53, protocol: UDP}, {port: 80}]}").ports) == [80]


SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: b, namespace: shop}
spec: {ports: [{name: http, port: 80, targetPort: web}, {name: grpc, port: 90}, {name: dns, port: 53, protocol: UDP}]}
---
"""
SLICE = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: b-1, namespace: shop, labels: {kubernetes.io/service-name: b}}
endpoints: [{addresses: [10.0.0.1]}]
ports: [{name: http, port: 8080}]
---
"""
ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: b, namespace: shop}
spec:
  hosts: [b.shop.svc.cluster.local]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 127.0.0.1, ports: {http: 9001}}]
"""


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([SLICE, SERVICE], [("10.0.0.1", {80: 8080})]),
        ([SERVICE, SLICE.replace("namespace: shop", "namespace: other")], []),
        ([SERVICE, SLICE, ENTRY], [("127.0.0.1", {80: 9001})]),
        ([SERVICE, SLICE, ENTRY.replace("endpoints:", "addresses: []  #")], [("10.0.0.1", {80: 8080})]),
    ],
)
def test_endpoint_slices_unless_an_entry_says_where_the_host_is(
    texts: list[str], found: list[tuple[str, dict[int, int]]]
) -> None:
    parsed = parse_sources([Source("x", "".join(texts).encode())])
    services = declared_services(parsed.resources, "cluster.local")
    assert [(item.address, item.ports) for service in services for item in service.instances] == found
