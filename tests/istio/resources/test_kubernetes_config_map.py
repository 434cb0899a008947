"""Which ConfigMaps are read."""

from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources

HEAD = "{apiVersion: v1, kind: ConfigMap, metadata: {name: ca, namespace: demo}"


def parse(text: str) -> Any:
    return parse_sources([Source("rules.yaml", f"{HEAD}, {text}}}".encode())])


def test_the_text_of_ca_crt() -> None:
    """Other keys are of any form, and of no interest."""
    (resource,) = parse(
        "data: {ca.crt: PEM, other_key: '1', otherKey: x}, binaryData: {a: YQ==}, immutable: true"
    ).resources
    assert (resource.kind, resource.namespace, resource.name) == ("ConfigMap", "demo", "ca")
    assert resource.spec.ca_certificates == "PEM"


@pytest.mark.parametrize(
    "text", ["data: {a: b}", "data: {ca.crt: [1]}", "data: null", "data: 3", "x: 1", "data: {ca.crt: null}"]
)
def test_others_are_skipped_and_counted(text: str) -> None:
    parsed = parse(text)
    assert (parsed.resources, parsed.diagnostics, parsed.skipped) == ((), (), {"ConfigMap": 1})


def test_one_that_an_api_server_refuses_is_named() -> None:
    parsed = parse_sources(
        [Source("rules.yaml", b"{apiVersion: v1, kind: ConfigMap, metadata: {name: [1]}, data: {ca.crt: x}}")]
    )
    assert parsed.resources == () and [str(each.severity) for each in parsed.diagnostics] == ["warning"]
