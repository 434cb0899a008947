"""References: what is assumed where a field is left out."""

from __future__ import annotations

from mirror_addon.gateway_api.resources.references import BackendRef
from mirror_addon.gateway_api.resources.references import ParentReference
from mirror_addon.gateway_api.resources.references import SecretObjectReference


def test_defaults() -> None:
    parent = ParentReference.model_validate({"name": "a"})
    assert (parent.group, parent.kind, parent.namespace) == ("gateway.networking.k8s.io", "Gateway", None)
    backend = BackendRef.model_validate({"name": "a"})
    assert (backend.group, backend.kind, backend.weight, backend.port) == ("", "Service", 1, None)
    secret = SecretObjectReference.model_validate({"name": "a"})
    assert (secret.group, secret.kind) == ("", "Secret")
