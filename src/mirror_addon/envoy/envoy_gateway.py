"""The processor's filter behind Envoy Gateway: EnvoyExtensionPolicy (`gateway.envoyproxy.io/v1alpha1`, 1.9).

It says what the filter needs but for trailers, the deferred close and a share of the exchanges.
"""

from __future__ import annotations

from collections.abc import Sequence

from mirror_addon.envoy.in_cluster import InCluster
from mirror_addon.envoy.values import Message


def extension_policy(service: InCluster, namespace: str, routes: Sequence[tuple[str, str]]) -> Message:
    """Return the policy for routes of one namespace, each of a kind and a name."""
    group = "gateway.networking.k8s.io"
    body = {"body": "Streamed"}
    return {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyExtensionPolicy",
        "metadata": {"name": service.name, "namespace": namespace},
        "spec": {
            "targetRefs": [{"group": group, "kind": kind, "name": name} for kind, name in routes],
            "extProc": [
                {
                    "backendRefs": [{"name": service.name, "namespace": service.namespace, "port": service.port}],
                    "shadowMode": True,
                    "failOpen": True,
                    "processingMode": {"request": body, "response": body},
                    "attributes": {
                        "request": ["request.protocol", "source.address", "xds.route_name"],
                        "response": ["response.code_details", "response.flags", "upstream.address"],
                    },
                }
            ],
        },
    }


def reference_grant(service: InCluster, namespaces: Sequence[str]) -> Message:
    """Return what lets policies of other namespaces name the processor's Service."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": service.metadata(),
        "spec": {
            "from": [
                {"group": "gateway.envoyproxy.io", "kind": "EnvoyExtensionPolicy", "namespace": namespace}
                for namespace in namespaces
            ],
            "to": [{"group": "", "kind": "Service", "name": service.name}],
        },
    }
