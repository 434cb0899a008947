from __future__ import annotations

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
