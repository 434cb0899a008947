from __future__ import annotations

import re
from typing import Any

import pytest

from mirror_addon.envoy.mirrored import authority_predicate
from mirror_addon.envoy.mirrored import mirror_clusters
from mirror_addon.envoy.mirrored import mirrored_domains
from mirror_addon.envoy.mirrored import mirroring_routes
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable


def table(*services: tuple[str, str]) -> RouteTable:
    """Of virtual services: their hosts and routes."""
    text = "\n---\n".join(
        "{apiVersion: networking.istio.io/v1, kind: VirtualService, "
        f"metadata: {{name: x{number}}}, spec: {{hosts: {hosts}, gateways: [g], http: {http}}}}}"
        for number, (hosts, http) in enumerate(services)
    )
    return RouteTable.build(parse_sources([Source("x.yaml", text.encode())]).resources, Identity())


TO = "route: [{destination: {host: v1}}]"
MIRRORED = f"[{{{TO}, mirror: {{host: v2, subset: s}}}}]"


def test_hosts_rules_and_mirrors() -> None:
    made = table(
        ("[a.test, '*.b.test']", MIRRORED),
        ("[plain.test]", f"[{{{TO}}}]"),
        ("[never.test]", f"[{{{TO}, mirror: {{host: v2}}, mirrorPercentage: {{value: 0}}}}]"),
        ("[local.test]", "[{redirect: {uri: /}, mirror: {host: v2}}]"),
        ("[c.test]", f"[{{match: [{{uri: {{prefix: /x}}}}], {TO}, mirror: {{host: v2, subset: s}}}}, {{{TO}}}]"),
    )
    assert mirrored_domains(made) == ["*.b.test", "a.test", "c.test"]
    assert [str(route.rule) for route in mirroring_routes(made)] == ["default/x0 http[0]", "default/x4 http[0]"]
    (cluster,) = mirror_clusters(made)
    assert (cluster.host, cluster.subset) == ("v2.default.svc.cluster.local", "s")


def test_other_names_of_a_service_are_hosts_too() -> None:
    assert {"v1", "v1.default", "v1.default.svc.cluster.local"} <= set(mirrored_domains(table(("[v1]", MIRRORED))))


def regex(predicate: dict[str, Any]) -> str:
    found: str = predicate["single_predicate"]["value_match"]["safe_regex"]["regex"]
    return found


@pytest.mark.parametrize(
    ("authority", "taken"),
    [
        ("a.test", True),
        ("A.Test:8080", True),
        ("x.y.b.test", True),
        ("aatest", False),
        ("b.test", False),
        ("a.test-shadow", False),
        ("x.b.test-shadow:80", False),
        ("a.test.evil.test", False),
    ],
)
def test_authorities(authority: str, taken: bool) -> None:
    predicate = authority_predicate(["*.b.test", "a.test"])
    assert bool(re.fullmatch(regex(predicate), authority)) is taken


@pytest.mark.parametrize(("authority", "taken"), [("any", True), ("any-shadow", False), ("any-shadow:80", False)])
def test_any_host(authority: str, taken: bool) -> None:
    predicate = authority_predicate(["*", "a.test"])
    assert (not re.fullmatch(regex(predicate["not_matcher"]), authority)) is taken


def test_a_mirror_that_never_gets_a_request_has_no_cluster() -> None:
    never = "{destination: {host: v3}, percentage: {value: 0}}"
    made = table(("[a.test]", f"[{{{TO}, mirrors: [{{destination: {{host: v2}}}}, {never}]}}]"))
    assert [cluster.host for cluster in mirror_clusters(made)] == ["v2.default.svc.cluster.local"]
