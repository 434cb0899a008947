"""What the tests of `istio` share: texts in, findings out."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

from mirror_addon.istio.analysis import analyze
from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.parsing import ParsedRules
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources

HOST = "b.default.svc.cluster.local"
Brief = tuple[str, str, str]
"""Severity, code and field path."""


def object_text(kind: str, spec: str, name: str = "it", namespace: str = "default") -> str:
    api_version = "v1" if kind == "Service" else "networking.istio.io/v1"
    body = textwrap.indent(textwrap.dedent(spec).strip("\n"), "  ")
    return (
        f"apiVersion: {api_version}\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n{body}\n"
    )


def parse_text(*texts: str) -> ParsedRules:
    return parse_sources([Source("rules.yaml", "---\n".join(texts).encode())])


@pytest.fixture
def make() -> Callable[..., str]:
    """Text of an object: kind, its spec's lines, name, namespace."""
    return object_text


@pytest.fixture
def parse() -> Callable[..., ParsedRules]:
    """Parses texts as the documents of one file, rules.yaml."""
    return parse_text


@pytest.fixture
def briefs() -> Callable[..., list[Brief]]:
    """Severity, code and path of what validation finds, infos left out."""

    def find(*texts: str, infos: bool = False) -> list[Brief]:
        found = parse_text(*texts).diagnostics
        return [(item.severity, item.code, item.path) for item in found if infos or item.severity != "info"]

    return find


@pytest.fixture
def analyzed() -> Callable[..., list[Diagnostic]]:
    """What analysis finds in texts that parse without errors."""

    def find(*texts: str, overrides: tuple[tuple[str, str], ...] = ()) -> list[Diagnostic]:
        parsed = parse_text(*texts)
        assert not [item for item in parsed.diagnostics if item.severity == "error"]
        return sorted(analyze(parsed.resources, overrides=overrides))

    return find


@pytest.fixture
def entry(make: Callable[..., str]) -> str:
    """A service b with one endpoint."""
    return make(
        "ServiceEntry",
        f"hosts: [{HOST}]\nresolution: STATIC\nports: [{{number: 80, name: http, protocol: HTTP}}]\n"
        "endpoints: [{address: 1.2.3.4, labels: {version: v1}}]",
        "entry",
    )


@pytest.fixture
def rule(make: Callable[..., str]) -> str:
    """The subset v1 of service b."""
    return make("DestinationRule", "host: b\nsubsets: [{name: v1, labels: {version: v1}}]", "rule")


@pytest.fixture
def route() -> Callable[..., str]:
    """Text of a virtual service with one route, in flow style."""

    def text(http: str, name: str = "vs", head: str = "hosts: [x.y]\ngateways: [gw/g]") -> str:
        return object_text("VirtualService", f"{head}\nhttp:\n- {{{http}}}", name)

    return text
