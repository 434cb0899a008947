"""Validation: the whole object."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mirror_addon.istio.parsing import ParsedRules

E = ("error", "IST0106")
W = ("warning", "IST0133")
HTTP = "http: [{route: [{destination: {host: a.b}}]}]"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (f"hosts: [a.b]\n{HTTP}", []),
        (f"hosts: [short, '*.x.y', '*-z.y', 10.0.0.1, '::1', UPPER.case, trailing.dot.]\n{HTTP}", []),
        (HTTP, []),
        (f"gateways: [n/g]\n{HTTP}", [(*E, "spec.gateways")]),
        ("tcp: [{route: [{destination: {host: a.b}}]}]", [(*E, "spec.tcp")]),
        (
            "tls: [{match: [{sniHosts: [a.b]}], route: [{destination: {host: a.b}}]}]",
            [(*E, "spec.tls"), (*E, "spec.tls[0].match[0].sniHosts[0]")],
        ),
        ("hosts: [a.b]", [(*E, "spec")]),
        ("hosts: [a.b]\ntcp: [{route: [{destination: {host: a.b}}]}]", []),
        (
            "hosts: [a.b]\ntcp: [{route: [{destination: {host: 1.2.3.4}}]}]",
            [(*E, "spec.tcp[0].route[0].destination.host")],
        ),
        (f"hosts: ['']\n{HTTP}", [(*E, "spec.hosts[0]")]),
        (f"hosts: [a_b.c]\n{HTTP}", [(*E, "spec.hosts[0]")]),
        (f"hosts: [a.*.c]\n{HTTP}", [(*E, "spec.hosts[0]")]),
        (f"hosts: ['a*.c']\n{HTTP}", [(*E, "spec.hosts[0]")]),
        (f"hosts: [1.2.3]\n{HTTP}", [(*E, "spec.hosts[0]")]),
        (f"hosts: [{'a' * 64}.b]\n{HTTP}", [(*E, "spec.hosts[0]")]),
        (f"hosts: [{'a.' * 130}b]\n{HTTP}", [(*E, "spec.hosts[0]")]),
        (f"hosts: ['*']\n{HTTP}", [(*E, "spec.hosts[0]")]),
        (f"hosts: ['*']\ngateways: [n/g, mesh]\n{HTTP}", [(*E, "spec.hosts[0]")]),
        (f"hosts: ['*']\ngateways: [n/g]\n{HTTP}", []),
        (f"hosts: [a.b, a.b]\n{HTTP}", [(*E, "spec.hosts[1]")]),
        (f"hosts: ['*.foo.com', a.foo.com]\n{HTTP}", [(*E, "spec.hosts[1]")]),
        (f"hosts: ['*.foo.com', '*.a.foo.com']\n{HTTP}", [(*E, "spec.hosts[1]")]),
        (f"hosts: ['*.foo.com', foo.com]\n{HTTP}", []),
        (f"hosts: [a.b]\nexportTo: ['.', '*']\n{HTTP}", [(*E, "spec.exportTo")]),
        (f"hosts: [a.b]\nexportTo: ['.', default]\n{HTTP}", [(*E, "spec.exportTo[1]")]),
        (f"hosts: [a.b]\nexportTo: [a_b]\n{HTTP}", [(*E, "spec.exportTo[0]")]),
        (f"hosts: [a.b]\nexportTo: ['~']\n{HTTP}", [(*E, "spec.exportTo[0]")]),
        (f"hosts: [a.b]\nexportTo: ['.', other]\n{HTTP}", []),
        (f"hosts: [a.b]\ngateways: [a_b]\n{HTTP}", [(*E, "spec.gateways[0]")]),
        (f"hosts: [a.b]\ngateways: [n/]\n{HTTP}", [(*E, "spec.gateways[0]")]),
        (f"hosts: [a.b]\ngateways: [N/G-1]\n{HTTP}", []),
        (f"hosts: [a.b]\ngateways: [n_s/g]\n{HTTP}", [(*E, "spec.gateways[0]")]),
        (f"hosts: [a.b]\ngateways: [g.n.svc.cluster.local]\n{HTTP}", [(*W, "spec.gateways[0]")]),
        (f"hosts: [a.b]\ngateways: [mesh, N/g]\n{HTTP}", []),
        ("hosts: [a.b]\nhttp: [null]", [(*E, "spec.http[0]")]),
        ("http: [{delegate: {name: d}}]", [(*E, "spec.http[0].delegate")]),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_object(
    make: Callable[..., str], briefs: Callable[..., list[object]], spec: str, expected: list[object]
) -> None:
    assert briefs(make("VirtualService", spec)) == expected


def test_tcp_and_tls_are_not_emulated(make: Callable[..., str], parse: Callable[..., ParsedRules]) -> None:
    spec = "hosts: [a.b]\ntcp: [{route: [{destination: {host: a.b}}]}]\ntls: []"
    found = parse(make("VirtualService", spec)).diagnostics
    assert [(item.severity, item.path, item.line, item.column) for item in found] == [("info", "spec.tcp", 8, 3)]
    assert found[0].message.startswith("not emulated: tcp")


def test_many_overlapping_hosts_are_found_quickly(
    make: Callable[..., str], briefs: Callable[..., list[object]]
) -> None:
    hosts = ", ".join(f"h{number}.example.com" for number in range(5000))
    assert len(briefs(make("VirtualService", f"hosts: [{hosts}, '*.example.com']\n{HTTP}"))) == 5000
