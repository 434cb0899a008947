"""BackendTLSPolicy: the types of `apis/v1/backendtlspolicy_types.go`."""

from __future__ import annotations

import re
from typing import Annotated
from typing import Literal

from pydantic import Field

from mirror_addon.gateway_api.resources.messages import Count
from mirror_addon.gateway_api.resources.messages import GatewayMessage
from mirror_addon.gateway_api.resources.messages import Hostname
from mirror_addon.gateway_api.resources.messages import PreciseHostname
from mirror_addon.gateway_api.resources.messages import Required
from mirror_addon.gateway_api.resources.messages import SectionName
from mirror_addon.gateway_api.resources.messages import Text
from mirror_addon.gateway_api.resources.references import LocalObjectReference
from mirror_addon.istio.resources.messages import EMPTY_MAP
from mirror_addon.istio.resources.messages import Items
from mirror_addon.istio.resources.messages import Map

_WELL_KNOWN = re.compile(r"System|[a-z0-9.-]*[a-z0-9]/([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]")
_WellKnown = Annotated[str, Text(253, _WELL_KNOWN, "System, or DOMAIN/NAME of an implementation")]
_URI = re.compile(r"(?s)[^:/?#]+://.*")


class PolicyTargetReference(LocalObjectReference):
    section_name: SectionName | None = None


class SubjectAltName(GatewayMessage):
    type: Annotated[Literal["Hostname", "URI"] | None, Required()] = None
    hostname: Hostname | None = None
    uri: Annotated[str, Text(253, _URI, "a URI with a scheme")] | None = None


class BackendTLSPolicyValidation(GatewayMessage):
    ca_certificate_refs: Annotated[Items[LocalObjectReference], Count(8)] = ()
    well_known_ca_certificates: _WellKnown | None = Field(default=None, alias="wellKnownCACertificates")
    hostname: Annotated[PreciseHostname, Required()] = ""
    subject_alt_names: Annotated[Items[SubjectAltName], Count(5)] = ()


class BackendTLSPolicySpec(GatewayMessage):
    target_refs: Annotated[Items[PolicyTargetReference], Count(16, least=1)] = ()
    validation: Annotated[BackendTLSPolicyValidation | None, Required()] = None
    options: Annotated[Map[str], Count(16)] = EMPTY_MAP
