"""Gateway and ListenerSet: the types of `apis/v1/gateway_types.go` and `listenerset_types.go`."""

from __future__ import annotations

import re
from typing import Annotated
from typing import Literal

from pydantic import ConfigDict
from pydantic import Field

from mirror_addon.gateway_api.resources.messages import Count
from mirror_addon.gateway_api.resources.messages import Experimental
from mirror_addon.gateway_api.resources.messages import GatewayMessage
from mirror_addon.gateway_api.resources.messages import Group
from mirror_addon.gateway_api.resources.messages import Hostname
from mirror_addon.gateway_api.resources.messages import Kind
from mirror_addon.gateway_api.resources.messages import ObjectName
from mirror_addon.gateway_api.resources.messages import PortNumber
from mirror_addon.gateway_api.resources.messages import Required
from mirror_addon.gateway_api.resources.messages import SectionName
from mirror_addon.gateway_api.resources.messages import Text
from mirror_addon.gateway_api.resources.references import GROUP
from mirror_addon.gateway_api.resources.references import LocalObjectReference
from mirror_addon.gateway_api.resources.references import ObjectReference
from mirror_addon.gateway_api.resources.references import ParentGatewayReference
from mirror_addon.gateway_api.resources.references import SecretObjectReference
from mirror_addon.istio.resources.kubernetes_gateway import GatewayListener
from mirror_addon.istio.resources.kubernetes_gateway import KubernetesGatewaySpec
from mirror_addon.istio.resources.messages import EMPTY_MAP
from mirror_addon.istio.resources.messages import Items
from mirror_addon.istio.resources.messages import Map

_PROTOCOL = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?|[a-z0-9.-]*[a-z0-9]/[A-Za-z0-9]+")
_EXACT = ConfigDict(extra="forbid", populate_by_name=False)
"""What the bases in `istio`, which read only some of the fields, would allow."""
ProtocolType = Annotated[str, Text(255, _PROTOCOL, "a protocol: HTTP, HTTPS, TLS, TCP, UDP, or DOMAIN/NAME")]


class LabelSelectorRequirement(GatewayMessage):
    key: Annotated[str, Required()] = ""
    operator: Annotated[Literal["In", "NotIn", "Exists", "DoesNotExist"] | None, Required()] = None
    values: Items[str] = ()


class LabelSelector(GatewayMessage):
    match_labels: Map[str] = EMPTY_MAP
    match_expressions: Items[LabelSelectorRequirement] = ()


class RouteNamespaces(GatewayMessage):
    """`from` is a Python keyword."""

    from_: Literal["All", "Selector", "Same"] = Field(default="Same", alias="from")
    selector: LabelSelector | None = None


class ListenerNamespaces(GatewayMessage):
    from_: Literal["All", "Selector", "Same", "None"] = Field(default="None", alias="from")
    selector: LabelSelector | None = None


class RouteGroupKind(GatewayMessage):
    group: Group = GROUP
    kind: Annotated[Kind, Required()] = ""


class AllowedRoutes(GatewayMessage):
    namespaces: RouteNamespaces = RouteNamespaces()
    kinds: Annotated[Items[RouteGroupKind], Count(8)] = ()


class ListenerTLSConfig(GatewayMessage):
    mode: Literal["Terminate", "Passthrough"] = "Terminate"
    certificate_refs: Annotated[Items[SecretObjectReference], Count(64)] = ()
    options: Annotated[Map[str], Count(16)] = EMPTY_MAP


class Listener(GatewayMessage, GatewayListener):
    """`hostname` is empty where the listener accepts every host."""

    model_config = _EXACT

    name: Annotated[SectionName, Required()] = ""
    hostname: Hostname = ""
    port: Annotated[PortNumber, Required()] = 0
    protocol: Annotated[ProtocolType, Required()] = ""
    tls: ListenerTLSConfig | None = None
    allowed_routes: AllowedRoutes = AllowedRoutes()


class GatewaySpecAddress(GatewayMessage):
    type: Annotated[str, Text(253)] = "IPAddress"
    value: Annotated[str, Text(253, least=0)] = ""


class LocalParametersReference(LocalObjectReference):
    """Parameters of the implementation."""


class GatewayInfrastructure(GatewayMessage):
    labels: Annotated[Map[str], Count(8)] = EMPTY_MAP
    annotations: Annotated[Map[str], Count(16)] = EMPTY_MAP
    parameters_ref: LocalParametersReference | None = None


class AllowedListeners(GatewayMessage):
    namespaces: ListenerNamespaces = ListenerNamespaces()


class GatewayBackendTLS(GatewayMessage):
    client_certificate_ref: SecretObjectReference | None = None


class FrontendTLSValidation(GatewayMessage):
    ca_certificate_refs: Annotated[Items[ObjectReference], Count(16, least=1)] = ()
    mode: Literal["AllowValidOnly", "AllowInsecureFallback"] = "AllowValidOnly"


class TLSConfig(GatewayMessage):
    validation: FrontendTLSValidation | None = None


class TLSPortConfig(GatewayMessage):
    port: Annotated[PortNumber, Required()] = 0
    tls: Annotated[TLSConfig | None, Required()] = None


class FrontendTLSConfig(GatewayMessage):
    default: Annotated[TLSConfig | None, Required()] = None
    per_port: Annotated[Items[TLSPortConfig], Count(64, key="port")] = ()


class GatewayTLSConfig(GatewayMessage):
    backend: GatewayBackendTLS | None = None
    frontend: FrontendTLSConfig | None = None


class GatewaySpec(GatewayMessage, KubernetesGatewaySpec):
    model_config = _EXACT

    gateway_class_name: Annotated[ObjectName, Required()] = ""
    listeners: Annotated[Items[Listener], Count(64, least=1, key="name")] = ()
    addresses: Annotated[Items[GatewaySpecAddress], Count(16)] = ()
    infrastructure: GatewayInfrastructure | None = None
    allowed_listeners: AllowedListeners = AllowedListeners()
    tls: GatewayTLSConfig | None = None
    default_scope: Annotated[
        Literal["All", "None"] | None, Experimental("it is not read; routes name their parents")
    ] = None


class ListenerSetSpec(GatewayMessage):
    parent_ref: Annotated[ParentGatewayReference | None, Required()] = None
    listeners: Annotated[Items[Listener], Count(64, least=1, key="name")] = ()
