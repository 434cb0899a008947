"""ReferenceGrant: the types of `apis/v1/referencegrant_types.go`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mirror_addon.gateway_api.resources.messages import Count
from mirror_addon.gateway_api.resources.messages import GatewayMessage
from mirror_addon.gateway_api.resources.messages import Group
from mirror_addon.gateway_api.resources.messages import Kind
from mirror_addon.gateway_api.resources.messages import Namespace
from mirror_addon.gateway_api.resources.messages import ObjectName
from mirror_addon.gateway_api.resources.messages import Required
from mirror_addon.istio.resources.messages import Items


class ReferenceGrantFrom(GatewayMessage):
    group: Annotated[Group, Required()] = ""
    kind: Annotated[Kind, Required()] = ""
    namespace: Annotated[Namespace, Required()] = ""


class ReferenceGrantTo(GatewayMessage):
    group: Annotated[Group, Required()] = ""
    kind: Annotated[Kind, Required()] = ""
    name: ObjectName | None = None


class ReferenceGrantSpec(GatewayMessage):
    """`from` is a Python keyword."""

    from_: Annotated[Items[ReferenceGrantFrom], Count(16, least=1)] = Field(default=(), alias="from")
    to: Annotated[Items[ReferenceGrantTo], Count(16, least=1)] = ()
