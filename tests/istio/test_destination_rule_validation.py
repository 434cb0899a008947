"""Validation: the object, its subsets and its traffic policies."""

from __future__ import annotations

from collections.abc import Callable

import pytest

E = ("error", "IST0106")
W = ("warning", "IST0133")
TP = "spec.trafficPolicy"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("host: a.b\nsubsets: [{name: v1, labels: {version: v1}}, {name: v2}]", []),
        ("host: '*.b'", []),
        ("host: '*'", []),
        ("subsets: []", [(*E, "spec.host")]),
        ("host: 1.2.3.4", [(*E, "spec.host")]),
        ("host: a_b", [(*E, "spec.host")]),
        ("host: a.b\nsubsets: [null]", [(*E, "spec.subsets[0].name")]),
        ("host: a.b\nsubsets: [{labels: {a: b}}]", [(*E, "spec.subsets[0].name")]),
        ("host: a.b\nsubsets: [{name: V1}, {name: v1}, {name: A-1}]", []),
        ("host: a.b\nsubsets: [{name: v_1}]", [(*E, "spec.subsets[0].name")]),
        ("host: a.b\nsubsets: [{name: -V}]", [(*E, "spec.subsets[0].name")]),
        (f"host: a.b\nsubsets: [{{name: {'V' * 63}}}]", []),
        (f"host: a.b\nsubsets: [{{name: {'V' * 64}}}]", [(*E, "spec.subsets[0].name")]),
        ("host: a.b\nsubsets: [{name: v, labels: {Example.COM/Version: V1}}]", []),
        (f"host: a.b\nsubsets: [{{name: v, labels: {{a: {'b' * 64}}}}}]", []),
        (f"host: a.b\nsubsets: [{{name: v, labels: {{{'a' * 64}: b}}}}]", [(*E, f"spec.subsets[0].labels.{'a' * 64}")]),
        ("host: a.b\nsubsets: [{name: v, labels: {a_b/c: d}}]", [(*E, "spec.subsets[0].labels.a_b/c")]),
        ("host: '123'", []),
        ("host: 123.a", []),
        ("host: a.123", [(*E, "spec.host")]),
        ("host: a.b\nsubsets: [{name: v1}, {name: v1}]", [(*E, "spec.subsets[1].name")]),
        ("host: a.b\nsubsets: [{name: v1, labels: {'a b': c}}]", [(*E, "spec.subsets[0].labels.a b")]),
        ("host: a.b\nsubsets: [{name: v1, labels: {a: 'b c'}}]", [(*E, "spec.subsets[0].labels.a")]),
        ("host: a.b\nsubsets: [{name: v1, trafficPolicy: {}}]", [(*E, "spec.subsets[0].trafficPolicy")]),
        ("host: a.b\nexportTo: ['.', '.']", [(*E, "spec.exportTo[1]")]),
        ("host: a.b\nworkloadSelector: {matchLabels: {a: b}}\nexportTo: ['.']", []),
        ("host: a.b\nworkloadSelector: {matchLabels: {a: b}}\nexportTo: [other]", [(*E, "spec.exportTo")]),
        ("host: a.b\nworkloadSelector: {matchLabels: {a b: c d}}", []),
        ("host: a.b\nworkloadSelector: {matchLabels: {a: '*'}}", [(*E, "spec.workloadSelector.matchLabels.a")]),
        ("host: a.b\nworkloadSelector: {matchLabels: {'': b}}", [(*E, "spec.workloadSelector.matchLabels.")]),
        ("host: a.b\nworkloadSelector: {}", [(*W, "spec.workloadSelector")]),
        ("host: a.b\nexportTo: [Other-NS]", []),
        ("host: a.b\nexportTo: ['~']", [(*E, "spec.exportTo[0]")]),
        ("host: a.b\ntrafficPolicy: {tls: {mode: SIMPLE}}", [("warning", "IST0128", f"{TP}.tls")]),
        (
            "host: a.b\ntrafficPolicy: {portLevelSettings: [{port: {number: 1}, tls: {mode: SIMPLE}}]}",
            [("warning", "IST0129", f"{TP}.portLevelSettings[0].tls")],
        ),
        ("host: a.b\ntrafficPolicy: {tls: {mode: SIMPLE, caCertificates: /ca}}", []),
        (
            "host: a.b\ntrafficPolicy: {tls: {mode: SIMPLE, insecureSkipVerify: true}}",
            [("warning", "IST0128", f"{TP}.tls")],
        ),
        (
            "host: a.b\ntrafficPolicy: {tls: {mode: SIMPLE, credentialName: c}}",
            [("warning", "IST0128", f"{TP}.tls")],
        ),
        (
            "host: a.b\nworkloadSelector: {matchLabels: {a: b}}\n"
            "trafficPolicy: {tls: {mode: SIMPLE, credentialName: c}, "
            "portLevelSettings: [{port: {number: 1}, tls: {mode: MUTUAL, credentialName: c}}]}",
            [],
        ),
        ("host: a.b\nsubsets: [{name: v1, trafficPolicy: {tls: {mode: SIMPLE}}}]", []),
        ("host: a.b\ntrafficPolicy: {tls: {mode: ISTIO_MUTUAL}}", []),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_object(
    make: Callable[..., str], briefs: Callable[..., list[object]], spec: str, expected: list[object]
) -> None:
    assert briefs(make("DestinationRule", spec)) == expected
