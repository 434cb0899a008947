"""MeshConfig of istio/api `mesh/v1alpha1/config.proto`, as far as it is read, and the ConfigMap that holds it."""

from __future__ import annotations

from mirror_addon.istio.resources.messages import EMPTY_MAP
from mirror_addon.istio.resources.messages import Items
from mirror_addon.istio.resources.messages import Map
from mirror_addon.istio.resources.messages import PartialMessage

MESH_CONFIG_MAP = "istio"
"""The name of the ConfigMap."""


class ConfigMapSpec(PartialMessage):
    """A core/v1 ConfigMap. Its `data` stands beside `metadata`, not below `spec`."""

    data: Map[str] = EMPTY_MAP


class ProxyConfig(PartialMessage):
    proxy_metadata: Map[str] = EMPTY_MAP
    """Environment variables of the proxies."""

    def switched_on(self, name: str) -> bool:
        return self.proxy_metadata.get(name) == "true"


class MeshConfig(PartialMessage):
    """`default_..._export_to`: what `exportTo` is where a resource has none; empty means `*`."""

    default_service_export_to: Items[str] = ()
    default_virtual_service_export_to: Items[str] = ()
    default_destination_rule_export_to: Items[str] = ()
    default_config: ProxyConfig = ProxyConfig()
