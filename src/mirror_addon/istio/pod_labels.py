"""The labels of pods as Istio sees them: their own, the name of their node, and where that node is.

Source: istio `pilot/pkg/serviceregistry/util/label/label.go`, `AugmentLabels`. Labels of the cluster and its network
are not added, because no document says what they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.resources.kubernetes_workloads import NodeSpec
from mirror_addon.istio.resources.kubernetes_workloads import PodSpec

_HOSTNAME = "kubernetes.io/hostname"
_PLACE = {
    "topology.kubernetes.io/region": "failure-domain.beta.kubernetes.io/region",
    "topology.kubernetes.io/zone": "failure-domain.beta.kubernetes.io/zone",
    "topology.istio.io/subzone": "",
}
"""The labels of a Node that its pods get, and the old name of each."""


def labelled_pods(resources: Iterable[Resource[Any]]) -> Iterator[tuple[Resource[PodSpec], dict[str, str]]]:
    """Return the Pods among the resources, each with its labels."""
    resources = list(resources)
    nodes = {node.name: node.labels for node in resources if isinstance(node.spec, NodeSpec)}
    for pod in resources:
        if not isinstance(pod.spec, PodSpec):
            continue
        node = pod.spec.node_name
        yield pod, {**pod.labels, **_place(nodes.get(node, {})), _HOSTNAME: node} if node else pod.labels


def _place(node: dict[str, str]) -> dict[str, str]:
    found = ((name, node.get(name) or node.get(old)) for name, old in _PLACE.items())
    return {name: value for name, value in found if value}
