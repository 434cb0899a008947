"""The processor's filter in a mesh: an EnvoyFilter, and a DestinationRule for the processor's Service.

Istio has no resource for external processing. An EnvoyFilter patches what it generates: the filter is inserted
directly before the router, and the cluster that Istio makes for the processor's Service gets the keepalive that Istio
has no field for (`networking.istio.io/v1alpha3`, `EnvoyFilter`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from mirror_addon.envoy.in_cluster import InCluster
from mirror_addon.envoy.mirrored import authority_predicate
from mirror_addon.envoy.processor import FILTER
from mirror_addon.envoy.processor import composite
from mirror_addon.envoy.processor import external_processor
from mirror_addon.envoy.processor import http2_with_keepalive
from mirror_addon.envoy.processor import sampled_action
from mirror_addon.envoy.values import Message

_MANAGER = "envoy.filters.network.http_connection_manager"


class Place(StrEnum):
    """At which proxies requests are seen."""

    GATEWAY = "gateway"
    OUTBOUND = "outbound"
    """The sidecars of callers, where the rules of the mesh act."""
    INBOUND = "inbound"
    """The sidecar of the primary, which sees requests that the rules have changed already."""

    @property
    def context(self) -> str:
        return {"gateway": "GATEWAY", "outbound": "SIDECAR_OUTBOUND", "inbound": "SIDECAR_INBOUND"}[self]

    @property
    def cluster_context(self) -> str:
        """Where the processor's cluster is: an inbound listener's filters use outbound clusters too."""
        return "GATEWAY" if self is Place.GATEWAY else "SIDECAR_OUTBOUND"


def envoy_filter(
    service: InCluster, place: Place, namespace: str, workload: Mapping[str, str], domains: list[str], share: float
) -> Message:
    """Return the EnvoyFilter. `workload`: labels of the pods whose proxies it patches; empty: all of `namespace`."""
    action = sampled_action(external_processor(service.cluster, share, service.host), share)
    matched = {"predicate": authority_predicate(domains), "on_match": {"action": action}}
    before_router = {"filterChain": {"filter": {"name": _MANAGER, "subFilter": {"name": "envoy.filters.http.router"}}}}
    selector: Message = {"workloadSelector": {"labels": dict(workload)}} if workload else {}
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": service.name, "namespace": namespace},
        "spec": {
            **selector,
            "configPatches": [
                {
                    "applyTo": "CLUSTER",
                    "match": {
                        "context": place.cluster_context,
                        "cluster": {"service": service.host, "portNumber": service.port},
                    },
                    "patch": {
                        "operation": "MERGE",
                        "value": {"typed_extension_protocol_options": http2_with_keepalive()},
                    },
                },
                {
                    "applyTo": "HTTP_FILTER",
                    "match": {"context": place.context, "listener": before_router},
                    "patch": {
                        "operation": "INSERT_BEFORE",
                        "value": {"name": FILTER, "typed_config": composite({"matcher_list": {"matchers": [matched]}})},
                    },
                },
            ],
        },
    }


def destination_rule(service: InCluster) -> Message:
    """Return the limits of connections to the processor. Istio's own are none; streams beyond are not opened."""
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": service.metadata(),
        "spec": {
            "host": service.host,
            "trafficPolicy": {
                "connectionPool": {"tcp": {"connectTimeout": "1s"}, "http": {"http2MaxRequests": 4096}},
                "loadBalancer": {"simple": "LEAST_REQUEST"},
            },
        },
    }
