"""What the tests of `gateway_api` share: objects as text, and what is found in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.gateway_api.analysis import analyze_gateway_api
from mirror_addon.gateway_api.reading import GATEWAY_API
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.parsing import ParsedRules
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources

Brief = tuple[str, str, str]
"""Severity, code and field path."""
GROUPS = {
    "Service": "v1",
    "Namespace": "v1",
    "EndpointSlice": "discovery.k8s.io/v1",
    "ServiceEntry": "networking.istio.io/v1",
    "VirtualService": "networking.istio.io/v1",
}


def object_text(kind: str, spec: Any, name: str = "it", namespace: str = "demo", **metadata: Any) -> str:
    """The text of an object; `spec` is a value, or YAML in flow style."""
    document = {
        "apiVersion": GROUPS.get(kind, "gateway.networking.k8s.io/v1"),
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, **metadata},
    }
    text = json.dumps(document)[:-1]
    if kind == "EndpointSlice":
        return f"{text}, {json.dumps(spec)[1:]}"
    return f"{text}, spec: {spec if isinstance(spec, str) else json.dumps(spec)}}}"


def parse_text(*texts: str) -> ParsedRules:
    return parse_sources([Source("rules.yaml", "\n---\n".join(texts).encode())], extension=GATEWAY_API)


@pytest.fixture(scope="session")
def make() -> Callable[..., str]:
    return object_text


@pytest.fixture(scope="session")
def parse() -> Callable[..., ParsedRules]:
    """Parses texts as the documents of one file, rules.yaml."""
    return parse_text


@pytest.fixture(scope="session")
def resources() -> Callable[..., list[Resource[Any]]]:
    """The resources of texts that parse without errors."""

    def read(*texts: str) -> list[Resource[Any]]:
        parsed = parse_text(*texts)
        assert [str(item) for item in parsed.diagnostics if item.severity == "error"] == []
        return list(parsed.resources)

    return read


@pytest.fixture(scope="session")
def errors() -> Callable[..., list[str]]:
    """`PATH: MESSAGE` of each error and warning in one spec: `errors(kind, spec)`."""

    def find(kind: str, spec: Any) -> list[str]:
        found = parse_text(object_text(kind, spec)).diagnostics
        return [f"{item.path}: {item.message}" for item in found if item.severity != "info"]

    return find


@pytest.fixture(scope="session")
def briefs() -> Callable[..., list[Brief]]:
    """Severity, code and path of all that validation and analysis find, infos left out unless asked for."""

    def find(*texts: str, infos: bool = False, overrides: tuple[str, ...] = ()) -> list[Brief]:
        parsed = parse_text(*texts)
        found = sorted([*parsed.diagnostics, *analyze_gateway_api(parsed.resources, overrides=overrides)])
        return [(item.severity, item.code, item.path) for item in found if infos or item.severity != "info"]

    return find
