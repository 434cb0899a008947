from __future__ import annotations

from collections.abc import Callable

import pytest

from mirror_addon.istio.parsing import ParsedRules
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources

Parse = Callable[..., ParsedRules]


def of(metadata: str) -> str:
    spec = "{http: [{delegate: {name: d}}], hosts: [a.b]}"
    return f"apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {metadata}\nspec: {spec}\n"


@pytest.mark.parametrize(
    ("metadata", "severity", "path"),
    [
        ("{}", "error", "metadata.name"),
        ("{generateName: x-}", "error", "metadata.name"),
        ("", "error", "metadata"),
        ("[]", "error", "metadata"),
        ("{name: 5}", "error", "metadata.name"),
        ("{name: a, namespace: [b]}", "error", "metadata.namespace"),
        ("{name: serviceB}", "warning", "metadata.name"),
        ("{name: a, namespace: B}", "warning", "metadata.namespace"),
        ("{name: a, labels: {version: 1}}", "error", "metadata.labels.version"),
        ("{name: a, labels: {'a b': c}}", "error", "metadata.labels.a b"),
        ("{name: a, labels: [a]}", "error", "metadata.labels"),
        ("{name: a, annotations: {x: true}}", "error", "metadata.annotations.x"),
        (
            "{name: a, annotations: {mirror-addon/set-headers: {X: y}}}",
            "error",
            "metadata.annotations.mirror-addon/set-headers",
        ),
        ("{name: a, annotations: {mirror-addon/expire: 2h}}", "error", "metadata.annotations.mirror-addon/expire"),
        ("{name: a, annotations: {istio.io/dry-run: 'true'}}", "error", "metadata.annotations.istio.io/dry-run"),
    ],
)
def test_findings(parse: Parse, metadata: str, severity: str, path: str) -> None:
    found = parse(of(metadata)).diagnostics
    assert [(item.severity, item.path) for item in found] == [(severity, path)]


def test_what_is_kept(parse: Parse) -> None:
    text = of(
        "{name: a, namespace: ns, labels: {x: '1'}, creationTimestamp: 2026-01-02T03:04:05Z, uid: u, "
        "annotations: {mirror-addon/expires: 2h, other: z}}"
    )
    parsed = parse(text)
    assert parsed.diagnostics == ()
    resource = parsed.resources[0]
    assert (resource.name, resource.namespace, resource.labels) == ("a", "ns", {"x": "1"})
    assert resource.annotations == {"mirror-addon/expires": "2h", "other": "z"}
    assert resource.creation_timestamp == "2026-01-02T03:04:05Z"


def test_the_nearest_annotation_is_suggested(parse: Parse) -> None:
    found = parse(of("{name: a, annotations: {mirror-addon/expire: 2h}}")).diagnostics
    assert "did you mean 'mirror-addon/expires'?" in found[0].message


def test_annotations_of_ours_belong_on_virtual_services(parse: Parse) -> None:
    text = of("{name: a, annotations: {mirror-addon/expires: 2h}}").replace("VirtualService", "DestinationRule")
    text = text.replace("spec: {http: [{delegate: {name: d}}], hosts: [a.b]}", "spec: {host: a.b}")
    assert [(item.severity, item.path) for item in parse(text).diagnostics] == [
        ("warning", "metadata.annotations.mirror-addon/expires")
    ]


@pytest.mark.parametrize(
    ("label", "good"),
    [
        ("example.com/App: A", True),
        ("Example.com/app: a", False),
        (f"app: {'a' * 63}", True),
        (f"app: {'a' * 64}", False),
    ],
)
def test_labels_of_the_metadata_follow_the_stricter_rules_of_kubernetes(label: str, good: bool) -> None:
    text = f"apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {{name: a, labels: {{{label}}}}}\n"
    found = parse_sources([Source("f", f"{text}spec: {{address: 1.2.3.4}}\n".encode())]).diagnostics
    assert [item.path.startswith("metadata.labels.") for item in found] == [True] * (not good)
