"""The kinds that are read, and the type of each one's spec."""

from __future__ import annotations

from mirror_addon.istio.resources.destination_rule import DestinationRuleSpec
from mirror_addon.istio.resources.gateway import GatewaySpec
from mirror_addon.istio.resources.kubernetes_service import KubernetesServiceSpec
from mirror_addon.istio.resources.service_entry import ServiceEntrySpec
from mirror_addon.istio.resources.service_entry import WorkloadEntrySpec
from mirror_addon.istio.resources.virtual_service import VirtualServiceSpec

Spec = (
    VirtualServiceSpec
    | DestinationRuleSpec
    | ServiceEntrySpec
    | WorkloadEntrySpec
    | KubernetesServiceSpec
    | GatewaySpec
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
}
SKIPPED_ISTIO_KINDS = ("EnvoyFilter", "ProxyConfig", "Sidecar", "WorkloadGroup")
"""The group's other kinds: they have no effect on what this proxy does."""
