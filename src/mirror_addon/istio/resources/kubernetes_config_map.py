"""The part of a core/v1 ConfigMap that is read: certificates of authorities, for BackendTLSPolicies."""

from __future__ import annotations

from typing import Any

from mirror_addon.istio.resources.messages import PartialMessage

CA_KEY = "ca.crt"
"""The key that the Gateway API reads (`apis/v1/backendtlspolicy_types.go`, caCertificateRefs)."""


class AuthoritiesSpec(PartialMessage):
    """A ConfigMap with certificates of authorities."""

    ca_certificates: str = ""
    """The text of `ca.crt`."""


def authorities_spec(value: dict[str, Any]) -> dict[str, Any] | None:
    """Return the spec of a ConfigMap as an object; None for one without such a text, which is of no use."""
    data = value.get("data")
    text = data.get(CA_KEY) if isinstance(data, dict) else None
    return {"caCertificates": text} if isinstance(text, str) else None
