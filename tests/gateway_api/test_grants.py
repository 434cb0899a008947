"""ReferenceGrants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.gateway_api.grants import Grants

GROUP = "gateway.networking.k8s.io"


@pytest.mark.parametrize(
    ("source", "target", "permitted"),
    [
        ({}, {}, True),
        ({}, {"name": "oven"}, True),
        ({}, {"name": "other"}, False),
        ({}, {"group": "core"}, True),
        ({"kind": "GRPCRoute"}, {}, False),
        ({"namespace": "other"}, {}, False),
        ({"group": "other.io"}, {}, False),
        ({}, {"kind": "Secret"}, False),
        ({}, {"group": "other.io"}, False),
    ],
)
def test_grants(
    source: dict[str, str], target: dict[str, str], permitted: bool, make: Callable[..., str], resources: Any
) -> None:
    spec = {
        "from": [{"group": GROUP, "kind": "HTTPRoute", "namespace": "shop", **source}],
        "to": [{"group": "", "kind": "Service", **target}],
    }
    grants = Grants(resources(make("ReferenceGrant", spec, namespace="bakery")))
    assert grants.permits("HTTPRoute", "shop", "", "Service", "bakery", "oven") is permitted


def test_the_own_namespace_needs_none_and_others_do() -> None:
    assert Grants(()).permits("HTTPRoute", "shop", "", "Service", "shop", "oven")
    assert not Grants(()).permits("HTTPRoute", "shop", "", "Service", "bakery", "oven")
