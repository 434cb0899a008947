"""Mirrors of routes without an end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.gateway_api.expiry_analysis import find_endless_route_mirrors


@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute"])
@pytest.mark.parametrize(
    ("share", "annotations", "endless"),
    [
        ({}, {}, True),
        ({"percent": 5}, {}, True),
        ({"percent": 0}, {}, False),
        ({"fraction": {"numerator": 0}}, {}, False),
        ({"fraction": {"numerator": 1}}, {}, True),
        ({}, {"mirror-addon/expires": "72h"}, False),
    ],
)
def test_mirrors(
    kind: str, share: Any, annotations: Any, endless: bool, make: Callable[..., str], resources: Any
) -> None:
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "b", "port": 80}, **share}}
    filters = [{"type": "RequestHeaderModifier", "requestHeaderModifier": {}}, mirror]
    rule = {"filters": filters, "backendRefs": [{"name": "a", "port": 80}]}
    text = make(kind, {"parentRefs": [{"name": "g"}], "rules": [rule]}, annotations=annotations)
    found = find_endless_route_mirrors(resources(text, make("Service", "{}")))
    assert [item.path for item in found] == (["spec.rules[0].filters[1].requestMirror"] if endless else [])
