"""Sidecar: the messages of istio/api `networking/v1alpha3/sidecar.proto`."""

from __future__ import annotations

from typing import Literal

from mirror_addon.istio.resources.destination_rule import ConnectionPoolSettings
from mirror_addon.istio.resources.gateway import ServerTLSSettings
from mirror_addon.istio.resources.messages import Items
from mirror_addon.istio.resources.messages import Message
from mirror_addon.istio.resources.messages import UInt32
from mirror_addon.istio.resources.service_entry import WorkloadSelector
from mirror_addon.istio.resources.virtual_service import Destination

CaptureMode = Literal["DEFAULT", "IPTABLES", "NONE"]


class SidecarPort(Message):
    number: UInt32 = 0
    protocol: str = ""
    name: str = ""
    target_port: UInt32 = 0


class IstioIngressListener(Message):
    port: SidecarPort | None = None
    bind: str = ""
    capture_mode: CaptureMode = "DEFAULT"
    default_endpoint: str = ""
    tls: ServerTLSSettings | None = None
    connection_pool: ConnectionPoolSettings | None = None


class IstioEgressListener(Message):
    port: SidecarPort | None = None
    bind: str = ""
    capture_mode: CaptureMode = "DEFAULT"
    hosts: Items[str] = ()


class OutboundTrafficPolicy(Message):
    mode: Literal["REGISTRY_ONLY", "ALLOW_ANY"] = "REGISTRY_ONLY"
    egress_proxy: Destination | None = None


class SidecarSpec(Message):
    """A Sidecar. It is checked, and has no effect: which services and rules are known is said by the files."""

    workload_selector: WorkloadSelector | None = None
    ingress: Items[IstioIngressListener] = ()
    egress: Items[IstioEgressListener] = ()
    inbound_connection_pool: ConnectionPoolSettings | None = None
    outbound_traffic_policy: OutboundTrafficPolicy | None = None
