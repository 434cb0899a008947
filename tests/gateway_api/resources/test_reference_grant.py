"""ReferenceGrant: its `from` is a Python keyword."""

from __future__ import annotations

from mirror_addon.gateway_api.resources.reference_grant import ReferenceGrantSpec


def test_fields() -> None:
    spec = ReferenceGrantSpec.model_validate(
        {
            "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "shop"}],
            "to": [{"group": "", "kind": "Service"}],
        }
    )
    assert (spec.from_[0].namespace, spec.to[0].name) == ("shop", None)
