"""Findings that concern several resources, as `istioctl analyze` makes them."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Sequence
from typing import Any

from mirror_addon.istio.conflict_analysis import find_duplicates
from mirror_addon.istio.conflict_analysis import find_ineffective_subsets
from mirror_addon.istio.conflict_analysis import find_mesh_conflicts
from mirror_addon.istio.conflict_analysis import find_protocol_conflicts
from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.gateway_analysis import find_conflicting_gateways
from mirror_addon.istio.gateway_analysis import find_gateway_problems
from mirror_addon.istio.gateway_analysis import find_ports_without_service
from mirror_addon.istio.gateway_analysis import is_of_istio
from mirror_addon.istio.reference_analysis import References
from mirror_addon.istio.registry import Registry


def analyze(resources: Sequence[Resource[Any]], *, overrides: Collection[tuple[str, str]] = ()) -> list[Diagnostic]:
    """Return what is wrong between resources: IST0101, 0109, 0112, 0132, 0140, 0145, 0162, 0165, 0173, 0174, 0177.

    `overrides` are the full host and the subset (or "") of each endpoint given by option; they satisfy references.
    """
    analysis = _Analysis(resources)
    virtual_services = analysis.of_kind("VirtualService")
    registry = Registry(resources)
    references = References(registry, {(item.namespace, item.name): item for item in virtual_services}, overrides)
    for resource in virtual_services:
        references.check_virtual_service(resource, analysis.findings(resource))
    for resource in analysis.of_kind("DestinationRule"):
        references.check_destination_rule(resource, analysis.findings(resource))
    find_duplicates(resources, analysis.findings)
    find_mesh_conflicts(virtual_services, analysis.findings)
    find_gateway_problems(virtual_services, resources, analysis.findings)
    gateways = [resource for resource in analysis.of_kind("Gateway") if is_of_istio(resource)]
    find_conflicting_gateways(gateways, registry.pods, analysis.findings)
    find_ports_without_service(gateways, resources, registry.pods, analysis.findings)
    find_ineffective_subsets(virtual_services, analysis.findings)
    find_protocol_conflicts(analysis.of_kind("ServiceEntry"), analysis.findings)
    return analysis.diagnostics()


class _Analysis:
    """The resources, and the findings of each."""

    def __init__(self, resources: Sequence[Resource[Any]]) -> None:
        self._resources = resources
        self._findings: dict[int, Findings] = {}

    def of_kind(self, kind: str) -> list[Resource[Any]]:
        return [resource for resource in self._resources if resource.kind == kind]

    def findings(self, resource: Resource[Any]) -> Findings:
        return self._findings.setdefault(id(resource), Findings(resource.document))

    def diagnostics(self) -> list[Diagnostic]:
        return [found for findings in self._findings.values() for found in findings.diagnostics]
