from __future__ import annotations

from collections.abc import Callable

import pytest

from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.endpoint_slices import instances_by_service
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.istio.pod_labels import labelled_pods

Make = Callable[..., str]
Analyzed = Callable[..., list[Diagnostic]]
REGION, ZONE, SUBZONE = "topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"
OLD = "failure-domain.beta.kubernetes.io"


def node(labels: str, name: str = "n1") -> str:
    return f"""
apiVersion: v1
kind: Node
metadata: {{name: {name}, labels: {{{labels}}}}}
spec: {{podCIDR: 10.0.0.0/24}}
status: {{capacity: {{cpu: "2"}}}}
---
"""


def pod(spec: str, labels: str = "app: b") -> str:
    return f"""
apiVersion: v1
kind: Pod
metadata: {{name: b-1, labels: {{{labels}}}}}
spec: {{{spec}}}
---
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (pod(""), {"app": "b"}),
        (pod("nodeName: n1"), {"app": "b", "kubernetes.io/hostname": "n1"}),
        (
            pod("nodeName: n1", f"{ZONE}: own") + node(f"{REGION}: eu, {ZONE}: eu-a, {SUBZONE}: r1, x: w"),
            {REGION: "eu", ZONE: "eu-a", SUBZONE: "r1", "kubernetes.io/hostname": "n1"},
        ),
        (
            node(f"{OLD}/region: eu, {OLD}/zone: eu-a") + pod("nodeName: n1"),
            {"app": "b", REGION: "eu", ZONE: "eu-a", "kubernetes.io/hostname": "n1"},
        ),
        (pod("nodeName: n2") + node(f"{REGION}: eu"), {"app": "b", "kubernetes.io/hostname": "n2"}),
    ],
)
def test_labels_of_the_node_that_a_pod_is_on(text: str, expected: dict[str, str]) -> None:
    parsed = parse_sources([Source("f", text.encode())])
    assert parsed.diagnostics == ()
    ((_, labels),) = labelled_pods(parsed.resources)
    assert labels == expected


def test_a_subset_may_name_a_zone(make: Make, analyzed: Analyzed) -> None:
    service = make("Service", "selector: {app: b}\nports: [{name: http, port: 80}]", "b")
    rule = make("DestinationRule", f"host: b\nsubsets: [{{name: a, labels: {{{ZONE}: eu-a}}}}]", "b")
    on_node = pod("nodeName: n1")
    (found,) = analyzed(service, rule, on_node)
    assert (found.code, found.path) == ("IST0173", "spec.subsets[0]")
    (found,) = analyzed(service, rule, on_node, node(f"{ZONE}: eu-a"))
    assert "has pods, and no endpoint on this machine" in found.message


def test_endpoints_of_slices_have_the_labels_too() -> None:
    text = f"""
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: b-1, labels: {{kubernetes.io/service-name: b}}}}
addressType: IPv4
endpoints: [{{addresses: [10.0.0.1], targetRef: {{kind: Pod, name: b-1}}}}]
ports: [{{name: http, port: 8080}}]
---
{pod("nodeName: n1")}
{node(f"{ZONE}: eu-a")}
"""
    (instance,) = instances_by_service(parse_sources([Source("f", text.encode())]).resources)["default", "b"]
    assert instance.labels[ZONE] == "eu-a"
