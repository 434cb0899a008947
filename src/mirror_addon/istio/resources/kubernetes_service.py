"""The parts of a core/v1 Service that are read."""

from __future__ import annotations

from pydantic import Field

from mirror_addon.istio.resources.messages import EMPTY_MAP
from mirror_addon.istio.resources.messages import Int32
from mirror_addon.istio.resources.messages import Items
from mirror_addon.istio.resources.messages import Map
from mirror_addon.istio.resources.messages import PartialMessage


class KubernetesServicePort(PartialMessage):
    """A port of a core/v1 Service; `target_port` can be the name of a container's port."""

    name: str = ""
    port: Int32 = 0
    protocol: str = "TCP"
    app_protocol: str = ""
    target_port: int | str | None = None


class KubernetesServiceSpec(PartialMessage):
    """A core/v1 Service. Its pods are not on this machine; `selector` selects WorkloadEntries."""

    ports: Items[KubernetesServicePort] = ()
    selector: Map[str] = EMPTY_MAP
    type: str = ""
    external_name: str = ""
    cluster_ip: str = Field("", alias="clusterIP")
    """`None` for a headless Service."""
    cluster_ips: Items[str] = Field((), alias="clusterIPs")
    """Of a Service with two IP families; empty in most files, and an API server fills it in."""
