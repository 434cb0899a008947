from __future__ import annotations

from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.mirroring.comparison_samples import ComparisonSamples
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.test]
  http:
  - match: [{uri: {prefix: /a}}]
    route: [{destination: {host: b}}]
    mirror: {host: c}
  - match: [{uri: {prefix: /n}}]
    route: [{destination: {host: b}}]
  - route: [{destination: {host: b}}]
    mirror: {host: c}
"""


def table_of(text: str) -> RouteTable:
    return RouteTable.build(parse_sources([Source("a.yaml", text.encode())]).resources, Identity())


def decided(table: RouteTable, path: bytes) -> Decision:
    return table.route(Request(b"GET", b"http", b"shop.test", path, (), 80), 0)


def test_the_first_request_of_each_rule() -> None:
    table, samples = table_of(RULES), ComparisonSamples()
    assert not samples.wants(decided(table, b"/a"))
    samples.rules_changed(table)
    assert samples.wants(decided(table, b"/a"))
    assert not samples.wants(decided(table, b"/a"))
    assert not samples.wants(decided(table, b"/n")), "it has no mirror"
    assert samples.wants(decided(table, b"/"))
    assert not samples.wants(decided(table, b"/"))


def test_a_reload_does_not_begin_anew() -> None:
    samples = ComparisonSamples()
    samples.rules_changed(first := table_of(RULES))
    assert samples.wants(decided(first, b"/a"))
    samples.rules_changed(second := table_of(RULES))
    assert not samples.wants(decided(second, b"/a"))
    assert not samples.wants(decided(first, b"/")), "a rule that is gone"
    assert samples.wants(decided(second, b"/"))
    samples.rules_changed(table_of(RULES.replace("name: shop", "name: other")))
    samples.rules_changed(third := table_of(RULES))
    assert samples.wants(decided(third, b"/a")), "it was gone in between"
