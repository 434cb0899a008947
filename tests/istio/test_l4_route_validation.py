"""Validation of `tcp` and `tls` routes, a row for each rule."""

from __future__ import annotations

from collections.abc import Callable

import pytest

E = ("error", "IST0106")
W = ("warning", "IST0133")
TO = "route: [{destination: {host: a.b}}]"
SNI = "outbound_.443_._.a.b"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (f"tcp: [{{{TO}}}]", []),
        ("tcp: [{match: [{port: 1}]}]", [(*E, "tcp[0]")]),
        ("tcp: [null]", [(*E, "tcp[0]")]),
        (f"tcp: [{{match: [{{port: 70000}}], {TO}}}]", [(*E, "tcp[0].match[0].port")]),
        (f"tcp: [{{match: [{{destinationSubnets: [10.0.0.0/8, 1.2.3.4, '::1', '::/0']}}], {TO}}}]", []),
        (
            f"tcp: [{{match: [{{destinationSubnets: [1.2.3.4, x]}}], {TO}}}]",
            [(*E, "tcp[0].match[0].destinationSubnets[1]")],
        ),
        (f"tcp: [{{match: [{{sourceLabels: {{Ex.com/a: B}}, gateways: [N/g]}}], {TO}}}]", []),
        (f"tcp: [{{match: [{{sourceLabels: {{a b: c}}}}], {TO}}}]", [(*E, "tcp[0].match[0].sourceLabels.a b")]),
        (f"tcp: [{{match: [{{gateways: [n_s/g]}}], {TO}}}]", [(*E, "tcp[0].match[0].gateways[0]")]),
        ("tcp: [{route: [{weight: 1}]}]", [(*E, "tcp[0].route[0]")]),
        ("tcp: [{route: [{destination: {host: '*'}}]}]", [(*E, "tcp[0].route[0].destination.host")]),
        ("tcp: [{route: [{destination: {host: a.b, subset: V1}}]}]", []),
        (
            "tcp: [{route: [{destination: {host: a.b, subset: v_1}}]}]",
            [(*E, "tcp[0].route[0].destination.subset")],
        ),
        ("tcp: [{route: [{destination: {host: a.b}, weight: -1}]}]", [(*E, "tcp[0].route[0].weight")]),
        ("tcp: [{route: [{destination: {host: a.b}}, {destination: {host: c.d}}]}]", [(*E, "tcp[0].route")]),
        (
            "tcp: [{route: [{destination: {host: a.b}, weight: 1}, {destination: {host: c.d}}]}]",
            [],
        ),
        (f"tls: [{{match: [{{sniHosts: [a.b]}}], {TO}}}]", []),
        (f"tls: [{{match: [{{sniHosts: [a.b, x.c]}}], {TO}}}]", []),
        (f"tls: [{{match: [{{sniHosts: ['*.x.c']}}], {TO}}}]", []),
        (f"tls: [{{match: [{{sniHosts: ['*.b']}}], {TO}}}]", [(*E, "tls[0].match[0].sniHosts[0]")]),
        (f"tls: [{{match: [{{sniHosts: [c.b]}}], {TO}}}]", [(*E, "tls[0].match[0].sniHosts[0]")]),
        (f"tls: [{{match: [{{sniHosts: [a_b]}}], {TO}}}]", [(*E, "tls[0].match[0].sniHosts[0]")]),
        (f"tls: [{{match: [{{sniHosts: ['{SNI}']}}], {TO}}}]", [(*E, "tls[0].match[0].sniHosts[0]")]),
        (f"tls: [{{match: [{{sniHosts: [1.2.3.4]}}], {TO}}}]", [(*W, "tls[0].match[0].sniHosts[0]")]),
        (f"tls: [{{match: [{{port: 443}}], {TO}}}]", [(*E, "tls[0].match[0]")]),
        (f"tls: [{{match: [null], {TO}}}]", [(*E, "tls[0].match[0]")]),
        (f"tls: [{{{TO}}}]", [(*E, "tls[0]")]),
        ("tls: [{match: [{sniHosts: [a.b]}]}]", [(*E, "tls[0]")]),
        (f"tls: [{{match: [{{sniHosts: [a.b], port: 70000}}], {TO}}}]", [(*E, "tls[0].match[0].port")]),
    ],
    ids=lambda value: value[:70] if isinstance(value, str) else "",
)
def test_routes(
    make: Callable[..., str], briefs: Callable[..., list[tuple[str, str, str]]], spec: str, expected: list[object]
) -> None:
    found = briefs(make("VirtualService", f"hosts: [a.b, '*.c']\n{spec}"))
    assert [(*item[:2], item[2].removeprefix("spec.")) for item in found] == expected


@pytest.mark.parametrize(
    ("hosts", "gateways", "sni", "paths"),
    [
        (SNI, "[i/e]", SNI, []),
        (SNI, "[i/e, mesh]", SNI, ["spec.hosts[0]", "spec.tls[0].match[0].sniHosts[0]"]),
        (SNI, "[]", SNI, ["spec.hosts[0]"]),
        ("*.b", "[]", SNI, []),
        ("*.b", "[mesh]", SNI, ["spec.tls[0].match[0].sniHosts[0]"]),
        ("outbound_.x_._.a.b", "[i/e]", "a.b", ["spec.hosts[0]", "spec.tls[0].match[0].sniHosts[0]"]),
        ("a_b", "[i/e]", "a.b", ["spec.hosts[0]", "spec.tls[0].match[0].sniHosts[0]"]),
    ],
)
def test_names_that_gateways_make(
    make: Callable[..., str],
    briefs: Callable[..., list[tuple[str, str, str]]],
    hosts: str,
    gateways: str,
    sni: str,
    paths: list[str],
) -> None:
    spec = f"hosts: ['{hosts}']\ngateways: {gateways}\ntls: [{{match: [{{sniHosts: ['{sni}']}}], {TO}}}]"
    assert [path for _, _, path in briefs(make("VirtualService", spec))] == paths


def test_such_a_name_needs_a_tls_match(
    make: Callable[..., str], briefs: Callable[..., list[tuple[str, str, str]]]
) -> None:
    spec = f"hosts: ['{SNI}']\ngateways: [i/e]\ntcp: [{{{TO}}}]"
    assert [path for _, _, path in briefs(make("VirtualService", spec))] == ["spec.hosts[0]"]
