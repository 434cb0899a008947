"""The Gateway API as an extension of the reader in `istio`: types and validation by kind."""

from __future__ import annotations

from typing import Any

from mirror_addon.gateway_api.limits import check_limits
from mirror_addon.gateway_api.listener_validation import validate_listeners
from mirror_addon.gateway_api.policy_validation import validate_backend_tls_policy
from mirror_addon.gateway_api.resources.kinds import EXPERIMENTAL_GROUP
from mirror_addon.gateway_api.resources.kinds import READ
from mirror_addon.gateway_api.resources.kinds import UNREAD
from mirror_addon.gateway_api.resources.kinds import VENDORS
from mirror_addon.gateway_api.resources.messages import GatewayMessage
from mirror_addon.gateway_api.resources.references import GROUP
from mirror_addon.gateway_api.route_validation import validate_route
from mirror_addon.istio.annotations import AnnotationChecks
from mirror_addon.istio.annotations import validate_mirror_values
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.fields import nearest
from mirror_addon.istio.findings import Findings


class GatewayAPI:
    """Reads the kinds of `gateway.networking.k8s.io`, and names those that are not read, vendors' among them."""

    def covers(self, group: str, kind: str) -> bool:
        if group in (GROUP, EXPERIMENTAL_GROUP) or group in VENDORS:
            return True
        return not group and kind in READ and kind != "Gateway"

    def spec_type(self, group: str, kind: str, version: str, findings: Findings) -> type[GatewayMessage] | None:
        if not group:
            findings.error(("apiVersion",), f"a {kind} is of the group {GROUP}; write '{GROUP}/v1'")
        elif group in VENDORS:
            findings.warning(
                ("kind",),
                f"not emulated: {kind} of {VENDORS[group]}: it has no effect here; where its routes need it, say the "
                "same in the filters of the route, or leave it out of the rules",
            )
        elif (group, kind) in UNREAD:
            if why := UNREAD[group, kind]:
                findings.warning(("kind",), f"not emulated: {kind}: {why}")
        elif group == GROUP and kind in READ:
            spec, versions = READ[kind]
            if version in versions:
                return spec
            findings.error(("apiVersion",), f"unknown version {version!r:.40} of {kind}; write '{GROUP}/{versions[0]}'")
        else:
            known = [name for own, name in UNREAD if own == group]
            hint = nearest(kind, [*(READ if group == GROUP else ()), *known])
            findings.error(("kind",), f"{kind!r:.80} is not a kind of {group}; {hint}")
        return None

    def validate(self, resource: Resource[Any], findings: Findings, checks: AnnotationChecks) -> None:
        check_limits(resource.spec, ("spec",), findings)
        match resource.kind:
            case "HTTPRoute" | "GRPCRoute":
                validate_route(resource, findings)
                _validate_annotations(resource, findings, checks)
            case "Gateway" | "ListenerSet":
                validate_listeners(resource, findings)
            case "BackendTLSPolicy":
                validate_backend_tls_policy(resource, findings)


def _validate_annotations(resource: Resource[Any], findings: Findings, checks: AnnotationChecks) -> None:
    mirrors = any(item.request_mirror is not None for rule in resource.spec.rules for item in rule.filters)
    validate_mirror_values(resource, findings, checks, f"this {resource.kind}" if not mirrors else "")


GATEWAY_API = GatewayAPI()
