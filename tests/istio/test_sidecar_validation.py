from __future__ import annotations

from collections.abc import Callable

import pytest

Make = Callable[..., str]
Briefs = Callable[..., list[tuple[str, str, str]]]
E, W = ("error", "IST0106"), ("warning", "IST0133")
PORT = "port: {number: 8080, name: http, protocol: HTTP}"
TLS_PORT = "port: {number: 8443, protocol: HTTPS}"
SOCKET = "port: {number: 0, protocol: HTTP}, bind: 'unix:///run/a'"
FILES = "serverCertificate: /c, privateKey: /k"


def cases(prefix: str, *rows: tuple[str, list[tuple[str, str, str]]]) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Rows of a listener's text and what is found in it, with paths below the listener."""
    return [
        (f"{prefix}: [{text}]", [(severity, code, f"spec.{prefix}[{path}") for severity, code, path in found])
        for text, found in rows
    ]


INGRESS = cases(
    "ingress",
    (f"{{{PORT}}}", []),
    (f"{{{PORT}, bind: 10.0.0.1, captureMode: NONE, defaultEndpoint: '127.0.0.1:9000'}}", []),
    ("{}", [(*E, "0]")]),
    ("{port: {number: 0}}", [(*E, "0].port.number")]),
    ("{port: {number: 80, protocol: nope, name: A_b}}", [(*E, "0].port.name"), (*E, "0].port.protocol")]),
    ("{port: {number: 80, targetPort: 81}}", [(*E, "0].port.targetPort")]),
    (f"{{{PORT}, bind: 'unix:///run/a'}}", [(*E, "0].bind")]),
    (f"{{{PORT}}}, {{{PORT}}}", [(*E, "1].port.number")]),
    *((f"{{{PORT}, defaultEndpoint: '{text}'}}", []) for text in (":80", "0.0.0.0:80", "[::1]:80", "unix:///run/a")),
    *(
        (f"{{{PORT}, defaultEndpoint: '{text}'}}", [(*E, "0].defaultEndpoint")])
        for text in ("10.0.0.1:80", "127.0.0.1:http", "127.0.0.1:0", "::1:80", "[127.0.0.1]:80", "unix://")
    ),
    ("{port: {number: 80}, defaultEndpoint: localhost}", [(*E, "0].defaultEndpoint"), (*E, "0].defaultEndpoint")]),
    (f"{{{TLS_PORT}, tls: {{mode: SIMPLE, {FILES}}}}}", []),
    (f"{{{PORT}, tls: {{mode: SIMPLE, {FILES}}}}}", [(*E, "0].tls")]),
    (f"{{{TLS_PORT}, tls: {{mode: ISTIO_MUTUAL}}}}", [(*E, "0].tls.mode")]),
    (f"{{{TLS_PORT}, tls: {{mode: SIMPLE, credentialName: c}}}}", [(*E, "0].tls.credentialName")]),
    (f"{{{TLS_PORT}, tls: {{mode: SIMPLE, httpsRedirect: true, {FILES}}}}}", [(*E, "0].tls.httpsRedirect")]),
    (f"{{{PORT}, connectionPool: {{}}}}", [(*E, "0].connectionPool")]),
    (f"{{{PORT}, connectionPool: {{http: {{maxRetries: 1}}}}}}", []),
    ("{port: {number: 1, protocol: TCP}, connectionPool: {http: {maxRetries: 1}}}", [(*W, "0].connectionPool.http")]),
)
EGRESS = cases(
    "egress",
    ("{hosts: ['./*', 'istio-system/*', '*/a.test', '~other/*.b.test']}", []),
    ("{}", [(*E, "0].hosts")]),
    ("{hosts: [a.test]}", [(*E, "0].hosts[0]")]),
    ("{hosts: ['/a.test']}", [(*E, "0].hosts[0]")]),
    ("{hosts: ['~A_b/*']}", [(*E, "0].hosts[0]")]),
    ("{hosts: ['./*a.test', './a', './a_b..c']}", [(*E, f"0].hosts[{index}]") for index in range(3)]),
    ("{hosts: ['./*', 'default/a.test']}", [(*W, "0].hosts[1]")]),
    ("{hosts: [x/a.test, 'x/*', x/a.test]}", [(*W, "0].hosts[1]"), (*W, "0].hosts[2]")]),
    ("{hosts: ['*/*', x/a.test]}", [(*W, "0].hosts")]),
    ("{hosts: ['./*']}, {hosts: ['./*']}", [(*E, "0]")]),
    (f"{{{PORT}, hosts: ['./*'], bind: 127.0.0.1}}, {{hosts: ['./*']}}", []),
    (f"{{{PORT}, hosts: ['./*']}}, {{{PORT}, hosts: ['./*']}}", [(*E, "1].port.number")]),
    (f"{{{PORT}, hosts: ['./*'], bind: nowhere}}", [(*E, "0].bind")]),
    ("{port: {number: 65536}, hosts: ['./*']}", [(*E, "0].port.number")]),
    (f"{{{SOCKET}, hosts: ['./*']}}", []),
    (f"{{{SOCKET}, hosts: ['./*'], captureMode: IPTABLES}}", [(*E, "0].captureMode")]),
    (f"{{{SOCKET}, hosts: ['./*']}}, {{{SOCKET}, hosts: ['./*']}}", [(*E, "1].bind")]),
    ("{port: {number: 0}, hosts: ['./*'], bind: 127.0.0.1}", [(*E, "0].bind")]),
    ("{port: {number: 0}, hosts: ['./*'], bind: 'unix://'}", [(*E, "0].bind")]),
)
POLICY = "outboundTrafficPolicy"
PROXY = f"spec.{POLICY}.egressProxy"
OTHERS: list[tuple[str, list[tuple[str, str, str]]]] = [
    ("{}", [(*E, "spec")]),
    ("inboundConnectionPool: {tcp: {maxConnections: 1}}", []),
    ("inboundConnectionPool: {}", [(*E, "spec.inboundConnectionPool")]),
    (f"{POLICY}: {{}}", []),
    (f"{POLICY}: {{mode: ALLOW_ANY, egressProxy: {{host: a.test, port: {{number: 80}}}}}}", []),
    (f"{POLICY}: {{egressProxy: {{host: a.test, port: {{number: 80}}}}}}", [(*E, PROXY)]),
    (f"{POLICY}: {{mode: ALLOW_ANY, egressProxy: {{host: a.test}}}}", [(*E, PROXY)]),
    (f"{POLICY}: {{mode: ALLOW_ANY, egressProxy: {{host: '*.a', port: {{number: 80}}}}}}", [(*E, f"{PROXY}.host")]),
    (f"{POLICY}: {{mode: ALLOW_ANY, egressProxy: {{host: a.test, port: {{}}}}}}", [(*E, f"{PROXY}.port.number")]),
    (f"{POLICY}: {{mode: ALLOW_ANY_DYNAMIC_DNS}}", [(*E, f"spec.{POLICY}.mode")]),
    ("egress: [{hosts: ['./*']}]\nworkloadSelector: {labels: {app: a}}", []),
    ("egress: [{hosts: ['./*']}]\nworkloadSelector: {}", [(*W, "spec.workloadSelector")]),
]


@pytest.mark.parametrize(("spec", "expected"), [*INGRESS, *EGRESS, *OTHERS])
def test_sidecars(make: Make, briefs: Briefs, spec: str, expected: list[tuple[str, str, str]]) -> None:
    assert briefs(make("Sidecar", spec)) == expected


def test_a_sidecar_is_not_emulated(make: Make, briefs: Briefs) -> None:
    found = briefs(make("Sidecar", "egress: [{hosts: ['./*']}]"), infos=True)
    assert found == [("info", "IST0133", "kind")]
