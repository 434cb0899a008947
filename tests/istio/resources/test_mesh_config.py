from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.istio.resources.mesh_config import MeshConfig


@pytest.mark.parametrize(
    ("metadata", "on"),
    [({"A": "true"}, True), ({"A": "1"}, False), ({}, False), (None, False)],
)
def test_switches_of_the_proxies(metadata: dict[str, Any] | None, on: bool) -> None:
    mesh = MeshConfig.model_validate({"defaultConfig": {"proxyMetadata": metadata}, "trustDomain": "cluster.local"})
    assert mesh.default_config.switched_on("A") is on
