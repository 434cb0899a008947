"""Services that lead to the mirrors alone.

A processor dials a mirror by an address. In a cluster that is a Service with the subset's labels. Its port is plain
TCP for the mesh: a shadow's Host matches no route of a sidecar, or the primary's, which would route the shadow again;
bytes are sent as they are, with the mesh's mTLS.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mirror_addon.envoy.mirrored import mirror_clusters
from mirror_addon.envoy.values import Message
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.resources.kubernetes_service import KubernetesServiceSpec
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.table import RouteTable


@dataclass(frozen=True, slots=True)
class MirrorServices:
    """`services`: the resources. `endpoints`: values of `mirror_endpoints` that name them. `notes`: what is a guess."""

    services: tuple[Message, ...]
    endpoints: tuple[str, ...]
    notes: tuple[str, ...]


def mirror_services(table: RouteTable, resources: Iterable[Resource[Any]]) -> MirrorServices:
    """Return a Service for each mirror that is a Service of the cluster; others are dialled as the rules say."""
    declared = {
        (each.namespace, each.name): each.spec for each in resources if isinstance(each.spec, KubernetesServiceSpec)
    }
    services, endpoints, notes = [], [], []
    domain = table.identity.domain
    for cluster in mirror_clusters(table):
        parts = cluster.host.removesuffix(f".svc.{domain}").split(".")
        if len(parts) != 2 or not cluster.host.endswith(f".svc.{domain}"):
            continue
        name, namespace = parts
        spec = declared.get((namespace, name))
        made = _service(cluster, name.lower(), namespace, spec, _labels(table, cluster, namespace))
        services.append(made)
        own = f"{made['metadata']['name']}.{namespace}.svc.{domain}:{cluster.port}"
        subset = f"/{cluster.subset}" if cluster.subset else ""
        endpoints.append(f"{cluster.host}:{cluster.port}{subset}={own}")
        if spec is None:
            notes.append(
                f"the rules have no Service {namespace}/{name}: look at the selector and targetPort of "
                f"{made['metadata']['name']}"
            )
    return MirrorServices(tuple(services), tuple(endpoints), tuple(notes))


def _labels(table: RouteTable, cluster: Cluster, namespace: str) -> dict[str, str]:
    rule = table.clusters.destination_rule(cluster.host, namespace)
    subset = rule.subsets.get(cluster.subset) if rule is not None else None
    return dict(subset.labels) if subset is not None else {}


def _service(
    cluster: Cluster, name: str, namespace: str, spec: KubernetesServiceSpec | None, labels: dict[str, str]
) -> Message:
    selector, target = {"app": name}, None
    if spec is not None:
        selector = dict(spec.selector)
        target = next((port.target_port for port in spec.ports if port.port == cluster.port), None)
    port: Message = {"name": "tcp-mirror", "port": cluster.port}
    if target is not None:
        port["targetPort"] = target
    own = "-".join(part for part in (name, cluster.subset.lower(), "mirror") if part)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": own, "namespace": namespace},
        "spec": {"selector": {**selector, **labels}, "ports": [port]},
    }
