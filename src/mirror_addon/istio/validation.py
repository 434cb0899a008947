"""Validates one object by itself, by the rules of Istio's webhook."""

from __future__ import annotations

from typing import Any

from mirror_addon.istio.annotations import AnnotationChecks
from mirror_addon.istio.annotations import validate_mirror_annotations
from mirror_addon.istio.destination_rule_validation import validate_destination_rule
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.gateway_validation import validate_gateway
from mirror_addon.istio.kubernetes_service_validation import validate_kubernetes_service
from mirror_addon.istio.service_entry_validation import validate_service_entry
from mirror_addon.istio.service_entry_validation import validate_workload_entry
from mirror_addon.istio.sidecar_validation import validate_sidecar
from mirror_addon.istio.virtual_service_validation import validate_virtual_service


def validate(resource: Resource[Any], findings: Findings, annotation_checks: AnnotationChecks) -> None:
    """Add to `findings` what Istio's webhook refuses (IST0106) or warns of (IST0133 and others).

    Fields that are valid but have no effect in this proxy are reported at info level, as "not emulated".
    """
    match resource.kind:
        case "VirtualService":
            validate_virtual_service(resource, findings)
            validate_mirror_annotations(resource, findings, annotation_checks)
        case "DestinationRule":
            validate_destination_rule(resource, findings)
        case "ServiceEntry":
            validate_service_entry(resource, findings)
        case "WorkloadEntry":
            validate_workload_entry(resource, findings)
        case "Gateway":
            validate_gateway(resource, findings)
        case "Sidecar":
            validate_sidecar(resource, findings)
        case "Service":
            validate_kubernetes_service(resource, findings)
