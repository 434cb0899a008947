"""Validation: what stands in a traffic policy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

E = ("error", "IST0106")
W = ("warning", "IST0133")


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("{}", [(*E, "")]),
        (
            "{tunnel: {protocol: CONNECT, targetHost: a.b, targetPort: 1}, proxyProtocol: {version: V1}}",
            [(*E, "tunnel")],
        ),
        ("{portLevelSettings: [null]}", [(*E, "portLevelSettings[0]"), (*E, "portLevelSettings[0]")]),
        ("{portLevelSettings: [{tls: {mode: DISABLE}}]}", [(*E, "portLevelSettings[0]")]),
        ("{portLevelSettings: [{port: {number: 80}}]}", [(*E, "portLevelSettings[0]")]),
        (
            "{portLevelSettings: [{port: {number: 0}, tls: {mode: DISABLE}}]}",
            [(*E, "portLevelSettings[0].port.number")],
        ),
        ("{outlierDetection: {interval: 0s}}", [(*E, "outlierDetection.interval")]),
        ("{outlierDetection: {baseEjectionTime: 1us}}", [(*E, "outlierDetection.baseEjectionTime")]),
        ("{outlierDetection: {maxEjectionPercent: 101}}", [(*E, "outlierDetection.maxEjectionPercent")]),
        ("{outlierDetection: {outlierDetectionHttpErrorCodes: [100, 599]}}", []),
        (
            "{outlierDetection: {outlierDetectionHttpErrorCodes: [99, 500, 600]}}",
            [
                (*E, "outlierDetection.outlierDetectionHttpErrorCodes[0]"),
                (*E, "outlierDetection.outlierDetectionHttpErrorCodes[2]"),
            ],
        ),
        ("{retryBudget: {percent: 0}}", []),
        ("{retryBudget: {percent: 100, budgetInterval: 10s}}", []),
        ("{retryBudget: {percent: 100.5}}", [(*E, "retryBudget.percent")]),
        ("{retryBudget: {percent: -1}}", [(*E, "retryBudget.percent")]),
        ("{outlierDetection: {minHealthPercent: -1}}", [(*E, "outlierDetection.minHealthPercent")]),
        (
            "{outlierDetection: {consecutiveLocalOriginFailures: 5}}",
            [(*E, "outlierDetection.consecutiveLocalOriginFailures")],
        ),
        ("{outlierDetection: {consecutiveErrors: 5}}", [(*W, "outlierDetection.consecutiveErrors")]),
        ("{outlierDetection: {consecutive5xxErrors: 5, consecutiveGatewayErrors: 0}}", []),
        ("{connectionPool: {}}", [(*E, "connectionPool")]),
        ("{connectionPool: {tcp: {maxConnections: -1}}}", [(*E, "connectionPool.tcp.maxConnections")]),
        ("{connectionPool: {tcp: {connectTimeout: 0s}}}", [(*E, "connectionPool.tcp.connectTimeout")]),
        ("{connectionPool: {tcp: {idleTimeout: 0s}}}", []),
        ("{connectionPool: {tcp: {idleTimeout: 1us}}}", []),
        ("{connectionPool: {tcp: {idleTimeout: 1.5ms}}}", [(*E, "connectionPool.tcp.idleTimeout")]),
        ("{tunnel: {targetHost: a.b, targetPort: 80}}", []),
        ("{tunnel: {protocol: POST, targetHost: 1.2.3.4, targetPort: 80}}", []),
        ("{tunnel: {protocol: connect, targetHost: a.b, targetPort: 80}}", [(*E, "tunnel.protocol")]),
        ("{tunnel: {targetHost: a_b, targetPort: 80}}", [(*E, "tunnel.targetHost")]),
        ("{tunnel: {targetHost: '*.b', targetPort: 80}}", [(*E, "tunnel.targetHost")]),
        ("{tunnel: {targetPort: 80}}", [(*E, "tunnel.targetHost")]),
        ("{tunnel: {targetHost: a.b}}", [(*E, "tunnel.targetPort")]),
        ("{tunnel: {targetHost: a.b, targetPort: 65536}}", [(*E, "tunnel.targetPort")]),
        ("{connectionPool: {tcp: {tcpKeepalive: {time: 0s}}}}", [(*E, "connectionPool.tcp.tcpKeepalive.time")]),
        ("{connectionPool: {http: {maxRetries: -1}}}", [(*E, "connectionPool.http.maxRetries")]),
        ("{connectionPool: {http: {idleTimeout: 0s}}}", [(*E, "connectionPool.http.idleTimeout")]),
        (
            "{connectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}}}",
            [(*E, "connectionPool.http")],
        ),
        (
            "{connectionPool: {http: {http2KeepAlive: {interval: 1s}}}}",
            [(*E, "connectionPool.http.http2KeepAlive")],
        ),
        ("{tls: {mode: MUTUAL, caCertificates: /ca}}", [(*E, "tls"), (*E, "tls")]),
        ("{tls: {mode: MUTUAL, caCertificates: /ca, clientCertificate: /c, privateKey: /k}}", []),
        ("{tls: {mode: SIMPLE, credentialName: c, caCertificates: /ca}}", [(*E, "tls.credentialName")]),
        (
            "{tls: {mode: SIMPLE, insecureSkipVerify: true, caCertificates: /ca}}",
            [(*E, "tls.insecureSkipVerify")],
        ),
        (
            "{tls: {mode: MUTUAL, insecureSkipVerify: true, subjectAltNames: [a], credentialName: c}}",
            [(*E, "tls.insecureSkipVerify"), ("warning", "IST0128", "tls")],
        ),
        ("{tls: {mode: simple}}", [(*E, "tls.mode")]),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_policies(
    make: Callable[..., str], briefs: Callable[..., list[tuple[str, str, str]]], policy: str, expected: list[object]
) -> None:
    found = briefs(make("DestinationRule", f"host: a.b\ntrafficPolicy: {policy}"))
    assert [(*item[:2], item[2].removeprefix("spec.trafficPolicy").lstrip(".")) for item in found] == expected


def test_what_is_not_emulated(make: Callable[..., str], briefs: Callable[..., list[tuple[str, str, str]]]) -> None:
    policy = (
        "{outlierDetection: {outlierDetectionHttpErrorCodes: [500]}, connectionPool: {tcp: {}}, "
        "tunnel: {targetHost: a.b, targetPort: 1}, "
        "retryBudget: {percent: 1.5, budgetInterval: 10s}, "
        "tls: {mode: ISTIO_MUTUAL}, "
        "loadBalancer: {simple: PASSTHROUGH, warmup: {duration: 1s}}}"
    )
    found = briefs(make("DestinationRule", f"host: a.b\ntrafficPolicy: {policy}"), infos=True)
    other = "{loadBalancer: {backendUtilization: {weightUpdatePeriod: 1s}}}"  # instead of `simple`
    found += briefs(make("DestinationRule", f"host: a.b\ntrafficPolicy: {other}"), infos=True)
    assert {severity for severity, _, _ in found} == {"info"}
    assert {path.rpartition(".")[2] for _, _, path in found} == {
        "outlierDetection",
        "connectionPool",
        "tunnel",
        "retryBudget",
        "mode",
        "simple",
        "warmup",
        "backendUtilization",
    }
