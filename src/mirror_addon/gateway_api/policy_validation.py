"""BackendTLSPolicy: what an API server refuses in one of them."""

from __future__ import annotations

from mirror_addon.gateway_api.reasons import UNSUPPORTED_VALUE
from mirror_addon.gateway_api.resources.backend_tls_policy import BackendTLSPolicySpec
from mirror_addon.gateway_api.resources.backend_tls_policy import SubjectAltName
from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.findings import Findings


def validate_backend_tls_policy(resource: Resource[BackendTLSPolicySpec], findings: Findings) -> None:
    spec = resource.spec
    seen: dict[tuple[str, str, str], set[str]] = {}
    for index, target in enumerate(spec.target_refs):
        sections = seen.setdefault((target.group, target.kind, target.name), set())
        section = target.section_name or ""
        if section in sections:
            findings.error(("spec", "targetRefs", index), f"{target.kind} {target.name} is repeated; remove one")
        elif sections and (not section or "" in sections):
            findings.error(
                ("spec", "targetRefs", index), f"{target.kind} {target.name} is a target more than once: name sections"
            )
        sections.add(section)
    validation = spec.validation
    if validation is None:
        return
    path: FieldPath = ("spec", "validation")
    if validation.ca_certificate_refs and validation.well_known_ca_certificates:
        findings.error(path, "only one of caCertificateRefs and wellKnownCACertificates may be given; keep one")
    elif not validation.ca_certificate_refs and not validation.well_known_ca_certificates:
        findings.error(
            path, "caCertificateRefs or wellKnownCACertificates is missing; write wellKnownCACertificates: System"
        )
    elif validation.well_known_ca_certificates not in (None, "System"):
        findings.warning(
            (*path, "wellKnownCACertificates"), "only System is known; it is used instead", code=UNSUPPORTED_VALUE
        )
    for index, name in enumerate(validation.subject_alt_names):
        _validate_name(name, (*path, "subjectAltNames", index), findings)


def _validate_name(name: SubjectAltName, path: FieldPath, findings: Findings) -> None:
    for kind, field, value in (("Hostname", "hostname", name.hostname), ("URI", "uri", name.uri)):
        if name.type == kind and not value:
            findings.error((*path, field), f"{field} is missing; type {kind} needs it")
        elif name.type is not None and name.type != kind and value:
            findings.error((*path, field), f"type {name.type} has no {field}; write type: {kind}")
