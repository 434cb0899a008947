"""Validation of locality settings, a row for each rule."""

from __future__ import annotations

from collections.abc import Callable

import pytest

E = "error"
W = "warning"
REGION = "topology.kubernetes.io/region"


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("{enabled: true}", []),
        ("{distribute: [{from: a/*, to: {a/*: 80, b/*: 20}}]}", []),
        ("{distribute: [{from: a, to: {a: 50, b: 40}}]}", [(E, "distribute[0].to")]),
        ("{distribute: [{from: a, to: {}}]}", [(E, "distribute[0].to")]),
        ("{distribute: [{from: a, to: {a: 100, b: 0}}]}", [(E, "distribute[0].to.b")]),
        ("{distribute: [{from: a, to: {a: 101}}]}", [(E, "distribute[0].to.a")]),
        ("{distribute: [{from: a, to: {a: 100}}], failover: [{from: a, to: b}]}", [(E, "distribute")]),
        ("{distribute: [{from: a, to: {a: 100}}, {from: a, to: {a: 100}}]}", [(E, "distribute[1].from")]),
        ("{distribute: [{from: a, to: {a: 100}}, {from: a/b, to: {a: 100}}]}", [(E, "distribute[1].from")]),
        ("{distribute: [{from: a/b/c, to: {a: 100}}, {from: a, to: {a: 100}}]}", [(E, "distribute[1].from")]),
        ("{distribute: [{from: a/b, to: {a: 100}}, {from: a/*, to: {a: 100}}]}", []),
        ("{distribute: [{from: a/*, to: {a: 100}}, {from: a/b, to: {a: 100}}]}", [(E, "distribute[1].from")]),
        ("{distribute: [{from: '*', to: {a: 100}}, {from: b, to: {a: 100}}]}", [(E, "distribute[1].from")]),
        ("{distribute: [{from: a, to: {'*/b': 100}}]}", [(E, "distribute[0].to.*/b")]),
        ("{distribute: [{from: '*/*', to: {a: 100}}]}", [(E, "distribute[0].from")]),
        ("{distribute: [{from: a//c, to: {a: 100}}]}", [(E, "distribute[0].from")]),
        ("{distribute: [{to: {a: 100}}]}", [(E, "distribute[0].from")]),
        ("{distribute: [{from: a, to: {a/b: 50, a/b/c: 50}}]}", [(E, "distribute[0].to.a/b/c")]),
        ("{failover: [{from: a, to: b}]}", []),
        ("{failover: [{from: a, to: a}]}", [(E, "failover[0]")]),
        ("{failover: [{from: a/b, to: c}]}", [(E, "failover[0].from")]),
        ("{failover: [{from: a, to: c/*}]}", [(E, "failover[0].to"), (E, "failover[0].to")]),
        (f"{{failover: [{{from: a, to: b}}], failoverPriority: [x, {REGION}]}}", [(E, "failoverPriority[1]")]),
        (f"{{failoverPriority: [{REGION}]}}", []),
    ],
)
def test_locality(
    make: Callable[..., str], briefs: Callable[..., list[tuple[str, str, str]]], setting: str, expected: list[object]
) -> None:
    assert find(make, briefs, "localityLbSetting", setting) == expected


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("{}", []),
        ("{failover: [{from: a, to: b}], failoverPriority: [x]}", []),
        ("{failover: [{from: a, to: a}]}", [(E, "failover[0]")]),
        (f"{{failoverPriority: [x, {REGION}]}}", [(E, "failoverPriority[1]")]),
        ("{minClusterSize: 1}", []),
        ("{minClusterSize: 0}", [(E, "minClusterSize")]),
    ],
)
def test_zone_aware(
    make: Callable[..., str], briefs: Callable[..., list[tuple[str, str, str]]], setting: str, expected: list[object]
) -> None:
    assert find(make, briefs, "zoneAwareLbSetting", setting) == expected


@pytest.mark.parametrize("name", ["localityLbSetting", "zoneAwareLbSetting"])
@pytest.mark.parametrize("setting", ["{failover: [{from: a, to: b}]}", "{failoverPriority: [x]}"])
def test_failover_needs_outlier_detection(
    make: Callable[..., str], briefs: Callable[..., list[tuple[str, str, str]]], name: str, setting: str
) -> None:
    found = find(make, briefs, name, setting, "")
    assert found == [(W, setting[1:].partition(":")[0])]


def find(
    make: Callable[..., str],
    briefs: Callable[..., list[tuple[str, str, str]]],
    name: str,
    setting: str,
    outliers: str = ", outlierDetection: {consecutive5xxErrors: 3}",
) -> list[tuple[str, str]]:
    policy = f"{{loadBalancer: {{{name}: {setting}}}{outliers}}}"
    found = briefs(make("DestinationRule", f"host: a.b\ntrafficPolicy: {policy}"))
    prefix = f"spec.trafficPolicy.loadBalancer.{name}."
    return [(severity, path.removeprefix(prefix)) for severity, _, path in found]
