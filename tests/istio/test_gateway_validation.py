"""Validation of Gateways, a row for each rule."""

from __future__ import annotations

from collections.abc import Callable

import pytest

E = "error"
W = "warning"
PORT = "port: {number: 80, name: http, protocol: HTTP}"
TLS = "port: {number: 443, name: https, protocol: HTTPS}"
FILES = "serverCertificate: /c, privateKey: /k"


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (f"{PORT}, hosts: ['*']", []),
        (f"{PORT}, hosts: ['*/*', ./a.b, Team-A/*.b, a.b, 1.2.3.4]", []),
        (f"{PORT}", [(E, "hosts")]),
        (f"{PORT}, hosts: [t_m/a.b]", [(E, "hosts[0]")]),
        (f"{PORT}, hosts: [/a.b]", [(E, "hosts[0]")]),
        (f"{PORT}, hosts: [~/a.b]", [(E, "hosts[0]")]),
        (f"{PORT}, hosts: [n/]", [(E, "hosts[0]")]),
        (f"{PORT}, hosts: [a_b.c]", [(E, "hosts[0]")]),
        (f"{PORT}, hosts: [n/a/b.c]", [(E, "hosts[0]")]),
        (f"{PORT}, hosts: [short]", [(E, "hosts[0]")]),
        (f"{PORT}, hosts: ['*a.b']", [(E, "hosts[0]")]),
        ("hosts: ['*']", [(E, "")]),
        ("port: {number: 80, name: http}, hosts: ['*']", [(E, "port.protocol")]),
        ("port: {number: 80, name: http, protocol: HTPP}, hosts: ['*']", [(E, "port.protocol")]),
        ("port: {number: 80, name: http, protocol: grpc-Web}, hosts: ['*']", []),
        ("port: {number: 0, name: http, protocol: HTTP}, hosts: ['*']", [(E, "port.number")]),
        ("port: {number: 80, protocol: HTTP}, hosts: ['*']", [(E, "port.name")]),
        ("port: {number: 80, name: any thing, protocol: HTTP}, hosts: ['*']", []),
        ("port: {number: 80, name: a, protocol: HTTP, targetPort: 8080}, hosts: ['*']", [(E, "port.targetPort")]),
        (f"{PORT}, hosts: ['*'], bind: 1.2.3.4, name: x, defaultEndpoint: x", []),
        (f"{PORT}, hosts: ['*'], bind: a.b", [(E, "bind")]),
        ("port: {name: http, protocol: HTTP}, hosts: ['*'], bind: 'unix:///x'", []),
        ("port: {name: http, protocol: HTTP}, hosts: ['*'], bind: 'unix://@x'", []),
        ("port: {name: http, protocol: HTTP}, hosts: ['*'], bind: 'unix://x'", [(E, "bind")]),
        (f"{PORT}, hosts: ['*'], bind: 'unix:///x'", [(E, "port.number")]),
        ("hosts: ['*'], bind: 'unix:///x'", [(E, "")]),
        (f"{TLS}, hosts: ['*']", [(E, "")]),
        (f"{PORT}, hosts: ['*'], tls: {{httpsRedirect: true}}", []),
        (f"{PORT}, hosts: ['*'], tls: {{mode: SIMPLE, credentialName: c}}", [(E, "tls")]),
        (f"{PORT}, hosts: ['*'], tls: {{privateKey: /k}}", [(W, "tls"), (E, "tls")]),
        (
            f"{TLS}, hosts: ['*'], tls: {{mode: SIMPLE, credentialName: c, httpsRedirect: true}}",
            [(W, "tls.httpsRedirect")],
        ),
        ("port: {number: 1, name: a, protocol: TCP}, hosts: ['*']", []),
        ("port: {number: 1, name: a, protocol: TCP}, hosts: ['*'], tls: {mode: PASSTHROUGH}", [(E, "tls")]),
        (f"{PORT}, hosts: ['*'], unknown: 1", [(E, "unknown")]),
    ],
    ids=lambda value: value[:80] if isinstance(value, str) else "",
)
def test_servers(
    make: Callable[..., str], briefs: Callable[..., list[tuple[str, str, str]]], server: str, expected: list[object]
) -> None:
    found = briefs(make("Gateway", f"servers: [{{{server}}}]"))
    assert [(item[0], item[2].removeprefix("spec.servers[0]").lstrip(".")) for item in found] == expected


@pytest.mark.parametrize(
    ("tls", "expected"),
    [
        (f"mode: SIMPLE, {FILES}", []),
        ("mode: SIMPLE, credentialName: c", []),
        ("mode: SIMPLE, credentialNames: [c, d]", []),
        ("mode: SIMPLE", [(E, ""), (E, "")]),
        ("mode: SIMPLE, serverCertificate: /c", [(E, "")]),
        (f"mode: SIMPLE, {FILES}, credentialName: c", [(E, "")]),
        ("mode: SIMPLE, credentialNames: [c], credentialName: c", [(E, "")]),
        (f"mode: SIMPLE, tlsCertificates: [{{{FILES}}}, {{{FILES}}}]", []),
        (f"mode: SIMPLE, tlsCertificates: [{{{FILES}}}, {{}}]", [(E, "tlsCertificates[1]"), (E, "tlsCertificates[1]")]),
        (f"mode: SIMPLE, tlsCertificates: [{{{FILES}}}, {{{FILES}}}, {{{FILES}}}]", [(W, "tlsCertificates")]),
        (f"mode: SIMPLE, {FILES}, caCrl: /crl", [(E, "caCrl")]),
        (f"mode: MUTUAL, {FILES}, caCertificates: /ca, caCrl: /crl", []),
        (f"mode: MUTUAL, {FILES}", [(E, "")]),
        (f"mode: OPTIONAL_MUTUAL, {FILES}, caCertificates: /ca", []),
        ("mode: MUTUAL, credentialName: c", []),
        ("mode: ISTIO_MUTUAL", []),
        ("mode: ISTIO_MUTUAL, credentialName: c", [(E, "credentialName")]),
        (f"mode: ISTIO_MUTUAL, {FILES}", [(E, "serverCertificate"), (E, "privateKey")]),
        ("mode: PASSTHROUGH", []),
        ("mode: AUTO_PASSTHROUGH, credentialName: c", [(W, "")]),
        ("mode: PASSTHROUGH, caCrl: /crl", [(W, "")]),
        ("mode: PASSTHROUGH, caCrl: /crl, credentialName: c", [(W, ""), (E, "caCrl")]),
        ("minProtocolVersion: TLSV1_0", [(W, "minProtocolVersion")]),
        ("minProtocolVersion: TLSV1_1, cipherSuites: [AES128-SHA]", []),
        (
            "cipherSuites: [ALL, '', -AES128-SHA, AES128-SHA, AES128-SHA, NONE]",
            [(W, "cipherSuites[4]"), (W, "cipherSuites[5]")],
        ),
        ("mode: simple", [(E, "mode")]),
    ],
    ids=lambda value: value[:80] if isinstance(value, str) else "",
)
def test_tls(
    make: Callable[..., str], briefs: Callable[..., list[tuple[str, str, str]]], tls: str, expected: list[object]
) -> None:
    found = briefs(make("Gateway", f"servers: [{{{TLS}, hosts: ['*'], tls: {{{tls}}}}}]"))
    assert [(item[0], item[2].removeprefix("spec.servers[0].tls").lstrip(".")) for item in found] == expected


@pytest.mark.parametrize(("spec", "path"), [("selector: {a: b}", "spec.servers"), ("servers: []", "spec.servers")])
def test_a_gateway_has_a_server(
    make: Callable[..., str], briefs: Callable[..., list[object]], spec: str, path: str
) -> None:
    assert briefs(make("Gateway", spec)) == [(E, "IST0106", path)]


def test_names_of_ports_are_different(
    make: Callable[..., str], briefs: Callable[..., list[tuple[str, str, str]]]
) -> None:
    server = f"{{{PORT}, hosts: [a.b]}}"
    found = briefs(make("Gateway", f"servers: [{server}, {server}]"))
    assert [path for _, _, path in found] == ["spec.servers[1].port.name"]


@pytest.mark.parametrize(("name", "count"), [("Gate-1", 0), ("a.b", 1)])
def test_a_gateways_own_name(
    make: Callable[..., str], briefs: Callable[..., list[tuple[str, str, str]]], name: str, count: int
) -> None:
    found = briefs(make("Gateway", f"servers: [{{{PORT}, hosts: [a.b]}}]", name))
    assert len([item for item in found if item[0] == E]) == count
