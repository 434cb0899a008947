"""The kinds that are read, and the type of each one's spec."""

from __future__ import annotations

from mirror_addon.istio.resources.destination_rule import DestinationRuleSpec
from mirror_addon.istio.resources.gateway import GatewaySpec
from mirror_addon.istio.resources.kubernetes_config_map import AuthoritiesSpec
from mirror_addon.istio.resources.kubernetes_gateway import KubernetesGatewaySpec
from mirror_addon.istio.resources.kubernetes_service import KubernetesServiceSpec
from mirror_addon.istio.resources.kubernetes_workloads import EndpointSliceSpec
from mirror_addon.istio.resources.kubernetes_workloads import NamespaceSpec
from mirror_addon.istio.resources.kubernetes_workloads import NodeSpec
from mirror_addon.istio.resources.kubernetes_workloads import PodControllerSpec
from mirror_addon.istio.resources.kubernetes_workloads import PodSpec
from mirror_addon.istio.resources.mesh_config import ConfigMapSpec
from mirror_addon.istio.resources.service_entry import ServiceEntrySpec
from mirror_addon.istio.resources.service_entry import WorkloadEntrySpec
from mirror_addon.istio.resources.sidecar import SidecarSpec
from mirror_addon.istio.resources.virtual_service import VirtualServiceSpec

Spec = (
    VirtualServiceSpec
    | DestinationRuleSpec
    | ServiceEntrySpec
    | WorkloadEntrySpec
    | KubernetesServiceSpec
    | ConfigMapSpec
    | AuthoritiesSpec
    | GatewaySpec
    | SidecarSpec
    | KubernetesGatewaySpec
    | EndpointSliceSpec
    | NamespaceSpec
    | NodeSpec
    | PodSpec
    | PodControllerSpec
)

ISTIO_GROUP = "networking.istio.io"
ISTIO_VERSIONS = ("v1alpha3", "v1beta1", "v1")
"""Istio's CRDs have the same schema for all of them."""
ISTIO_KINDS: dict[str, type[Spec]] = {
    "VirtualService": VirtualServiceSpec,
    "DestinationRule": DestinationRuleSpec,
    "ServiceEntry": ServiceEntrySpec,
    "WorkloadEntry": WorkloadEntrySpec,
    "Gateway": GatewaySpec,
    "Sidecar": SidecarSpec,
}
GATEWAY_API_GROUP = "gateway.networking.k8s.io"
KUBERNETES_KINDS: dict[tuple[str, str], type[Spec]] = {
    ("", "Service"): KubernetesServiceSpec,
    ("", "ConfigMap"): ConfigMapSpec,
    ("", "Namespace"): NamespaceSpec,
    ("", "Node"): NodeSpec,
    ("", "Pod"): PodSpec,
    ("", "ReplicationController"): PodControllerSpec,
    ("apps", "DaemonSet"): PodControllerSpec,
    ("apps", "Deployment"): PodControllerSpec,
    ("apps", "ReplicaSet"): PodControllerSpec,
    ("apps", "StatefulSet"): PodControllerSpec,
    ("discovery.k8s.io", "EndpointSlice"): EndpointSliceSpec,
    (GATEWAY_API_GROUP, "Gateway"): KubernetesGatewaySpec,
}
"""By group and kind: what is read of Kubernetes itself, in version v1 (or v1beta1 of the Gateway API)."""
CONTEXT_SPECS = (
    ConfigMapSpec, AuthoritiesSpec, NamespaceSpec, NodeSpec, PodSpec, PodControllerSpec, KubernetesGatewaySpec,
)  # fmt: skip
"""Types of specs that only say what there is on the cluster: one that cannot be read is left out with a warning."""
WITHOUT_SPEC = (ConfigMapSpec, EndpointSliceSpec)
"""Types whose fields stand beside `metadata`, not below `spec`."""

UNREAD_KINDS: dict[tuple[str, str], str] = {
    (ISTIO_GROUP, "EnvoyFilter"): "its patches of Envoy's configuration have no effect here",
    (ISTIO_GROUP, "ProxyConfig"): "it has no effect here",
    (ISTIO_GROUP, "WorkloadGroup"): "it selects nothing here; write WorkloadEntries",
    ("extensions.istio.io", "WasmPlugin"): "the plugin does not run here",
    ("security.istio.io", "AuthorizationPolicy"): "no request is refused here",
    ("security.istio.io", "PeerAuthentication"): "there is no mutual TLS of the mesh here",
    ("security.istio.io", "RequestAuthentication"): "no token is checked here",
    ("networking.k8s.io", "Ingress"): "its rules are not routed here; write VirtualServices",
    ("", "Endpoints"): "its addresses are not used here; write EndpointSlices",
    ("multicluster.x-k8s.io", "ServiceExport"): "there is one cluster here",
    ("multicluster.x-k8s.io", "ServiceImport"): "there is one cluster here",
    (GATEWAY_API_GROUP, "TCPRoute"): "only HTTP is routed here",
    (GATEWAY_API_GROUP, "TLSRoute"): "only HTTP is routed here",
    (GATEWAY_API_GROUP, "UDPRoute"): "only HTTP is routed here",
}
"""By group and kind: why an object of this kind, which would change traffic on a cluster, has no effect."""
SKIPPED_ISTIO_KINDS = tuple(kind for group, kind in UNREAD_KINDS if group == ISTIO_GROUP)
