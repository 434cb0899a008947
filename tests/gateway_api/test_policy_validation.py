"""BackendTLSPolicies that an API server refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Errors = Callable[[str, Any], list[str]]
TARGET = "{group: '', kind: Service, name: a}"
SYSTEM = "wellKnownCACertificates: System"


def policy(validation: str, targets: str = f"[{TARGET}]") -> str:
    return f"{{targetRefs: {targets}, validation: {{hostname: a.b, {validation}}}}}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (policy(SYSTEM), []),
        (policy("caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}]"), []),
        (policy(SYSTEM, "[]"), ["spec.targetRefs: has at least 1 items; it has 0"]),
        (policy(SYSTEM, f"[{TARGET}, {TARGET}]"), ["spec.targetRefs[1]: Service a is repeated; remove one"]),
        (
            policy(SYSTEM, f"[{TARGET}, {{group: '', kind: Service, name: a, sectionName: b}}]"),
            ["spec.targetRefs[1]: Service a is a target more than once: name sections"],
        ),
        (
            policy(f"{SYSTEM}, caCertificateRefs: [{{group: '', kind: ConfigMap, name: ca}}]"),
            ["spec.validation: only one of caCertificateRefs and wellKnownCACertificates may be given; keep one"],
        ),
        (
            policy(""),
            [
                "spec.validation: caCertificateRefs or wellKnownCACertificates is missing; write "
                "wellKnownCACertificates: System"
            ],
        ),
        (
            policy("wellKnownCACertificates: acme.org/roots"),
            ["spec.validation.wellKnownCACertificates: only System is known; it is used instead"],
        ),
        ("{targetRefs: [" + TARGET + "]}", ["spec.validation: validation is missing; it is required"]),
        (
            policy(f"{SYSTEM}, subjectAltNames: [{{type: Hostname}}, {{type: URI, uri: 'a:b', hostname: c}}, {{}}]"),
            [
                "spec.validation.subjectAltNames[1].uri: 'a:b' is not a URI with a scheme",
                "spec.validation.subjectAltNames[2].type: type is missing; it is required",
                "spec.validation.subjectAltNames[0].hostname: hostname is missing; type Hostname needs it",
                "spec.validation.subjectAltNames[1].hostname: type URI has no hostname; write type: Hostname",
            ],
        ),
    ],
)
def test_policies(text: str, found: list[str], errors: Errors) -> None:
    assert errors("BackendTLSPolicy", text) == found
