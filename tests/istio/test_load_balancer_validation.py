"""Validation: load balancing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

E = ("error", "IST0106")
W = ("warning", "IST0133")
CH = "consistentHash"


@pytest.mark.parametrize(
    ("balancer", "expected"),
    [
        ("{simple: ROUND_ROBIN}", []),
        ("{simple: LEAST_CONN}", [("warning", "IST0002", "simple")]),
        ("{simple: RANDOM, consistentHash: {useSourceIp: true}}", [(*E, "")]),
        ("{simple: RANDOM, backendUtilization: {}}", [(*E, "")]),
        ("{consistentHash: {httpHeaderName: x, useSourceIp: true}}", [(*E, CH)]),
        ("{consistentHash: {httpHeaderName: x, ringHash: {}, maglev: {tableSize: 3}}}", [(*E, CH)]),
        ("{consistentHash: {httpCookie: {ttl: 0s}}}", [(*E, f"{CH}.httpCookie")]),
        (
            "{consistentHash: {httpCookie: {name: c, attributes: [{value: x}]}}}",
            [(*E, f"{CH}.httpCookie.attributes[0].name")],
        ),
        (
            "{consistentHash: {httpCookie: {name: c, attributes: [{name: a}, {name: a}]}}}",
            [(*E, f"{CH}.httpCookie.attributes[1].name")],
        ),
        ("{consistentHash: {useSourceIp: true, minimumRingSize: 8}}", [(*W, f"{CH}.minimumRingSize")]),
        (
            "{consistentHash: {useSourceIp: true, minimumRingSize: 8, ringHash: {}}}",
            [(*E, f"{CH}.minimumRingSize"), (*W, f"{CH}.minimumRingSize")],
        ),
        ("{consistentHash: {useSourceIp: true, maglev: {tableSize: 65537}}}", []),
        ("{consistentHash: {useSourceIp: true, maglev: {tableSize: 1}}}", []),
        ("{consistentHash: {useSourceIp: true, maglev: {}}}", [(*E, f"{CH}.maglev.tableSize")]),
        ("{consistentHash: {useSourceIp: true, maglev: {tableSize: 65536}}}", [(*E, f"{CH}.maglev.tableSize")]),
        ("{consistentHash: {useSourceIp: true, maglev: {tableSize: 0}}}", [(*E, f"{CH}.maglev.tableSize")]),
        ("{consistentHash: {useSourceIp: true, maglev: {tableSize: 5000011}}}", [(*E, f"{CH}.maglev.tableSize")]),
        ("{localityLbSetting: {distribute: [{from: a, to: {b: 99}}]}}", [(*E, "localityLbSetting.distribute[0].to")]),
        ("{zoneAwareLbSetting: {failover: [{from: a, to: b}]}}", [(*W, "zoneAwareLbSetting.failover")]),
        ("{localityLbSetting: {enabled: true}, zoneAwareLbSetting: {}}", [(*E, "localityLbSetting")]),
        ("{warmup: {}}", [(*E, "warmup")]),
        ("{warmup: {duration: 1s, minimumPercent: 101}}", [(*E, "warmup.minimumPercent")]),
        ("{warmup: {duration: 1s, aggression: 0}}", [(*E, "warmup.aggression")]),
        ("{warmupDurationSecs: 1s}", [("warning", "IST0002", "warmupDurationSecs")]),
        ("{localityLbSetting: {distribute: [{from: a, to: {b: 100}}]}}", []),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_load_balancers(
    make: Callable[..., str], briefs: Callable[..., list[tuple[str, str, str]]], balancer: str, expected: list[object]
) -> None:
    found = briefs(make("DestinationRule", f"host: a.b\ntrafficPolicy: {{loadBalancer: {balancer}}}"))
    prefix = "spec.trafficPolicy.loadBalancer"
    assert [(*item[:2], item[2].removeprefix(prefix).lstrip(".")) for item in found] == expected
