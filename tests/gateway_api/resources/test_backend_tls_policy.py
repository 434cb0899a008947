"""BackendTLSPolicy: a spelling that no rule would give."""

from __future__ import annotations

from mirror_addon.gateway_api.resources.backend_tls_policy import BackendTLSPolicySpec


def test_fields() -> None:
    spec = BackendTLSPolicySpec.model_validate(
        {
            "targetRefs": [{"group": "", "kind": "Service", "name": "a", "sectionName": "https"}],
            "validation": {"hostname": "a.b", "wellKnownCACertificates": "System"},
        }
    )
    assert spec.validation is not None
    assert spec.validation.well_known_ca_certificates == "System"
    assert spec.target_refs[0].section_name == "https"
