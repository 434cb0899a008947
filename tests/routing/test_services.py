from __future__ import annotations

import pytest

from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.istio.resources.service_entry import WorkloadEntrySpec
from mirror_addon.routing.services import build_services
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


def test_every_host_of_an_entry_is_a_service_and_documents_add_up() -> None:
    text = b"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: one}
spec:
  hosts: [a.com, b.com]
  addresses: [10.1.1.1, 10.2.0.0/16]
  ports: [{number: 80, name: http}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.1, weight: 5}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: two}
spec:
  hosts: [a.com]
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.2}]
"""
    services = build_services(parse_sources([Source("x", text)]).resources, "cluster.local")
    assert set(services) == {"a.com", "b.com"}
    assert list(services["a.com"].ports) == [80, 443]
    assert [(item.address, item.weight) for item in services["a.com"].instances] == [("10.0.0.1", 5), ("10.0.0.2", 1)]
    assert services["b.com"].addresses == ["10.1.1.1"]


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
    (service,) = build_services(parsed.resources, "cluster.local").values()
    assert [(item.address, item.ports) for item in service.instances] == found
