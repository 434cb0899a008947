"""The configuration of the whole mesh, where the ConfigMap that holds it is among the documents.

Istio reads it from the key `mesh` of the ConfigMap `istio`. What changes routes or findings here is read: the default
`exportTo` of services, virtual services and destination rules (istio `pilot/pkg/model/push_context.go`,
`initDefaultExportMaps`), and whether addresses are allocated for ServiceEntries
(`pkg/config/analysis/analyzers/serviceentry/protocoladdresses.go`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

from mirror_addon.istio.composing import compose
from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.fields import conform
from mirror_addon.istio.fields import describe
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.resources.destination_rule import DestinationRuleSpec
from mirror_addon.istio.resources.kubernetes_service import KubernetesServiceSpec
from mirror_addon.istio.resources.mesh_config import ConfigMapSpec
from mirror_addon.istio.resources.mesh_config import MeshConfig
from mirror_addon.istio.resources.service_entry import ServiceEntrySpec
from mirror_addon.istio.resources.virtual_service import VirtualServiceSpec
from mirror_addon.istio.service_entry_validation import ADDRESSES_REQUIRED
from mirror_addon.istio.visibility import EXPORT_TO

_KEY = "mesh"
_PATH: FieldPath = ("data", _KEY)
_OWN_NAMESPACE = "."
_UNREAD = {
    "pathNormalization": "paths are normalised by the option mirror_path_normalization",
    "outboundTrafficPolicy": "requests to hosts that no rule names pass through",
    "defaultHttpRetryPolicy": "the primary's requests are not retried",
    "rootNamespace": "it is istio-system here",
}
"""Fields that change traffic on a cluster, and what happens here instead."""


@dataclass(frozen=True)
class MeshWide:
    """Resources with the defaults of the mesh, and what was found in its configuration."""

    resources: tuple[Resource[Any], ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    allocates_addresses: bool = False

    def concerns(self, finding: Diagnostic) -> bool:
        """Whether a finding about one resource holds in this mesh."""
        return not (self.allocates_addresses and finding.code == ADDRESSES_REQUIRED)


def mesh_wide(resources: Sequence[Resource[Any]]) -> MeshWide:
    """Apply the configuration of the mesh that is among the resources, if any, to those that are without own values."""
    holders = [item for item in resources if isinstance(item.spec, ConfigMapSpec)]
    if not holders:
        return MeshWide(tuple(resources))
    mesh, diagnostics = _read(holders)
    proxies = mesh.default_config
    return MeshWide(
        tuple(_with_defaults(resource, mesh) for resource in resources),
        tuple(diagnostics),
        proxies.switched_on("ISTIO_META_DNS_CAPTURE")
        and (
            proxies.switched_on("ISTIO_META_DNS_AUTO_ALLOCATE") or proxies.switched_on("PILOT_ENABLE_IP_AUTOALLOCATE")
        ),
    )


def _read(holders: Sequence[Resource[ConfigMapSpec]]) -> tuple[MeshConfig, list[Diagnostic]]:
    """Return the mesh's configuration, Istio's defaults where it cannot be read, and what is wrong with it."""
    first, *others = holders
    diagnostics: list[Diagnostic] = []
    for other in others:
        findings = Findings(other.document)
        line, _ = first.document.locate(())
        findings.warning((), f"is another configuration of the mesh; that of {first.document.file}:{line} is used")
        diagnostics += findings.diagnostics
    findings = Findings(first.document)
    mesh = _parse(first.spec.data.get(_KEY, ""), findings)
    return mesh, [*diagnostics, *findings.diagnostics]


def _parse(text: str, findings: Findings) -> MeshConfig:
    documents, problems = compose(_KEY, text.encode("utf-8", "surrogatepass"))
    values = [value for _, value in documents]
    value = values[0] if values else {}
    if problems:
        return _unusable(findings, f"line {problems[0].line}: {problems[0].message}")
    if not isinstance(value, dict):
        return _unusable(findings, f"must be a mapping; it is {describe(value)}")
    read = value
    if documents:
        inner = Findings(documents[0][0])
        read, _ = conform(MeshConfig, value, (), inner)
        if inner.diagnostics:
            return _unusable(findings, f"{inner.diagnostics[0].path}: {inner.diagnostics[0].message}")
    for name in _UNREAD:
        if name in value:
            findings.info(_PATH, f"not emulated: {name} of the mesh's configuration: {_UNREAD[name]}")
    return MeshConfig.model_validate(read)


def _unusable(findings: Findings, why: str) -> MeshConfig:
    findings.warning(_PATH, f"the mesh's configuration cannot be read, Istio's defaults are used: {why}")
    return MeshConfig()


def _with_defaults(resource: Resource[Any], mesh: MeshConfig) -> Resource[Any]:
    spec = resource.spec
    if isinstance(spec, KubernetesServiceSpec):
        own, default = resource.annotations.get(EXPORT_TO), mesh.default_service_export_to
        if own or not default:
            return resource
        return replace(resource, annotations={**resource.annotations, EXPORT_TO: ",".join(default)})
    default = ()
    if isinstance(spec, ServiceEntrySpec):
        default = mesh.default_service_export_to
    elif isinstance(spec, VirtualServiceSpec):
        default = mesh.default_virtual_service_export_to
    elif isinstance(spec, DestinationRuleSpec) and _OWN_NAMESPACE in mesh.default_destination_rule_export_to:
        # Of a destination rule's default pilot looks at `.` only.
        default = (_OWN_NAMESPACE,)
    if not default or spec.export_to:
        return resource
    return replace(resource, spec=spec.model_copy(update={"export_to": default}))
