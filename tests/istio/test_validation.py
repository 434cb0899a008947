from __future__ import annotations

from collections.abc import Callable

import pytest

from mirror_addon.istio.parsing import ParsedRules

BAD = {
    "VirtualService": ("hosts: [a_b]\nhttp: [{redirect: {uri: /}}]", ["spec.hosts[0]"]),
    "DestinationRule": ("host: a_b", ["spec.host"]),
    "ServiceEntry": ("hosts: [a_b]\nresolution: STATIC", ["spec.hosts[0]"]),
    "WorkloadEntry": ("address: a_b", ["spec.address"]),
    "Gateway": (
        "servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: [a_b.c]}]",
        ["spec.servers[0].hosts[0]"],
    ),
    "Service": ("ports: [{port: 8080}]", ["spec.ports[0]"]),
}
"""By kind: a spec with a wrong value."""


@pytest.mark.parametrize("kind", BAD)
def test_each_kind_is_validated_by_its_rules(
    make: Callable[..., str], parse: Callable[..., ParsedRules], kind: str
) -> None:
    spec, paths = BAD[kind]
    parsed = parse(make(kind, spec))
    assert [item.path for item in parsed.diagnostics] == paths
    assert [item.kind for item in parsed.resources] == [kind], "an error of validation does not remove a resource"


def test_the_annotations_of_virtual_services_are_validated(
    make: Callable[..., str], parse: Callable[..., ParsedRules]
) -> None:
    text = make("VirtualService", "hosts: [a.b]\nhttp: [{redirect: {uri: /}, mirror: {host: a.b}}]")
    text = text.replace("  name: it\n", "  name: it\n  annotations: {mirror-addon/max-rps: many}\n")
    assert [item.path for item in parse(text).diagnostics] == ["metadata.annotations.mirror-addon/max-rps"]
