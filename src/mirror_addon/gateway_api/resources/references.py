"""References to other objects: routes to parents and backends, listeners and policies to certificates."""

from __future__ import annotations

from typing import Annotated

from mirror_addon.gateway_api.resources.messages import GatewayMessage
from mirror_addon.gateway_api.resources.messages import Group
from mirror_addon.gateway_api.resources.messages import Kind
from mirror_addon.gateway_api.resources.messages import Namespace
from mirror_addon.gateway_api.resources.messages import ObjectName
from mirror_addon.gateway_api.resources.messages import PortNumber
from mirror_addon.gateway_api.resources.messages import Required
from mirror_addon.gateway_api.resources.messages import SectionName
from mirror_addon.gateway_api.resources.messages import Weight

GROUP = "gateway.networking.k8s.io"


class ParentReference(GatewayMessage):
    group: Group = GROUP
    kind: Kind = "Gateway"
    namespace: Namespace | None = None
    name: Annotated[ObjectName, Required()] = ""
    section_name: SectionName | None = None
    port: PortNumber | None = None


class ParentGatewayReference(GatewayMessage):
    group: Group = GROUP
    kind: Kind = "Gateway"
    name: Annotated[ObjectName, Required()] = ""
    namespace: Namespace | None = None


_SUBSET = "there are no subsets: name the Service of that version, as in name: reviews-v2"


class BackendObjectReference(GatewayMessage):
    hints = {
        "subset": _SUBSET,
        "host": "write name, and namespace where it is another one",
        "destination": "write name",
    }

    group: Group = ""
    kind: Kind = "Service"
    name: Annotated[ObjectName, Required()] = ""
    namespace: Namespace | None = None
    port: PortNumber | None = None


class BackendRef(BackendObjectReference):
    weight: Weight = 1


class LocalObjectReference(GatewayMessage):
    group: Annotated[Group, Required()] = ""
    kind: Annotated[Kind, Required()] = ""
    name: Annotated[ObjectName, Required()] = ""


class ObjectReference(LocalObjectReference):
    namespace: Namespace | None = None


class SecretObjectReference(GatewayMessage):
    group: Group = ""
    kind: Kind = "Secret"
    name: Annotated[ObjectName, Required()] = ""
    namespace: Namespace | None = None
