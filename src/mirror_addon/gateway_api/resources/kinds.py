"""The kinds of the Gateway API: which are read, and what is said of the others."""

from __future__ import annotations

from mirror_addon.gateway_api.resources.backend_tls_policy import BackendTLSPolicySpec
from mirror_addon.gateway_api.resources.gateway import GatewaySpec
from mirror_addon.gateway_api.resources.gateway import ListenerSetSpec
from mirror_addon.gateway_api.resources.grpc_route import GRPCRouteSpec
from mirror_addon.gateway_api.resources.http_route import HTTPRouteSpec
from mirror_addon.gateway_api.resources.messages import GatewayMessage
from mirror_addon.gateway_api.resources.reference_grant import ReferenceGrantSpec
from mirror_addon.gateway_api.resources.references import GROUP

EXPERIMENTAL_GROUP = "gateway.networking.x-k8s.io"
_BOTH = ("v1", "v1beta1")

READ: dict[str, tuple[type[GatewayMessage], tuple[str, ...]]] = {
    "HTTPRoute": (HTTPRouteSpec, _BOTH),
    "GRPCRoute": (GRPCRouteSpec, ("v1",)),
    "Gateway": (GatewaySpec, _BOTH),
    "ListenerSet": (ListenerSetSpec, ("v1",)),
    "ReferenceGrant": (ReferenceGrantSpec, _BOTH),
    "BackendTLSPolicy": (BackendTLSPolicySpec, ("v1", "v1alpha3")),
}
"""By kind of `gateway.networking.k8s.io`: the type of its spec, and the versions that API servers have."""

_POLICY = "its settings have no effect here; leave it out of the rules"
_ONLY_HTTP = "only HTTP and gRPC are routed here, its connections pass through; leave it out of the rules"
UNREAD: dict[tuple[str, str], str] = {
    (GROUP, "GatewayClass"): "",
    (GROUP, "TCPRoute"): _ONLY_HTTP,
    (GROUP, "TLSRoute"): _ONLY_HTTP,
    (GROUP, "UDPRoute"): _ONLY_HTTP,
    (EXPERIMENTAL_GROUP, "XListenerSet"): "write a ListenerSet of gateway.networking.k8s.io/v1",
    (EXPERIMENTAL_GROUP, "XBackend"): "references to it get 500; write a Service, or a ServiceEntry and kind: Hostname",
    (EXPERIMENTAL_GROUP, "XBackendTrafficPolicy"): _POLICY,
    (EXPERIMENTAL_GROUP, "XMesh"): "this proxy is the mesh; leave it out of the rules",
}
"""By group and kind: what becomes of an object that is not read; empty where it makes no difference."""

VENDORS: dict[str, str] = {
    "gateway.envoyproxy.io": "Envoy Gateway",
    "gateway.kgateway.dev": "kgateway",
    "gateway.solo.io": "Gloo",
    "gateway.nginx.org": "NGINX Gateway Fabric",
    "traefik.io": "Traefik",
    "configuration.konghq.com": "Kong",
    "gateway-operator.konghq.com": "Kong",
    "cilium.io": "Cilium",
    "networking.gke.io": "GKE",
    "gateway.k8s.aws": "the AWS Load Balancer Controller",
    "alb.networking.azure.io": "Azure",
    "projectcontour.io": "Contour",
    "kuma.io": "Kuma",
    "agentgateway.dev": "agentgateway",
}
"""By API group: whose resources these are. None is read; each object is named."""
