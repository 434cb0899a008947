from __future__ import annotations

from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.mirroring.comparison_samples import BODY_BYTES
from mirror_addon.mirroring.comparison_samples import BURST
from mirror_addon.mirroring.comparison_samples import PER_SECOND
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


class Clock:
    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


def spent(clock: Clock) -> ComparisonSamples:
    """Has chosen as many as it may at once."""
    samples = ComparisonSamples(clock)
    samples.took(int(BURST * BODY_BYTES))
    return samples


def chosen(samples: ComparisonSamples, decision: Decision, asked: int) -> int:
    return sum(samples.wants(decision) for _ in range(asked))


def test_the_first_request_of_each_rule() -> None:
    table, samples = table_of(RULES), spent(Clock())
    assert not samples.wants(decided(table, b"/a"))
    samples.rules_changed(table)
    assert samples.wants(decided(table, b"/a"))
    assert not samples.wants(decided(table, b"/a"))
    assert not samples.wants(decided(table, b"/n")), "it has no mirror"
    assert samples.wants(decided(table, b"/"))
    assert not samples.wants(decided(table, b"/"))


def test_a_reload_does_not_begin_anew() -> None:
    samples = spent(Clock())
    samples.rules_changed(first := table_of(RULES))
    assert samples.wants(decided(first, b"/a"))
    samples.rules_changed(second := table_of(RULES))
    assert not samples.wants(decided(second, b"/a"))
    assert not samples.wants(decided(first, b"/")), "a rule that is gone"
    assert samples.wants(decided(second, b"/"))
    samples.rules_changed(table_of(RULES.replace("name: shop", "name: other")))
    samples.rules_changed(third := table_of(RULES))
    assert samples.wants(decided(third, b"/a")), "it was gone in between"


def test_so_many_a_second() -> None:
    clock, decision = Clock(), decided(table_of(RULES), b"/a")
    samples = ComparisonSamples(clock)
    assert chosen(samples, decision, 1000) == BURST
    clock.now += 2
    assert chosen(samples, decision, 1000) == 2 * PER_SECOND
    clock.now += 3600
    assert chosen(samples, decision, 1000) == BURST, "a pause does not add up"
    found = 0
    for _ in range(10_000):
        clock.now += 0.001
        found += samples.wants(decision)
    assert abs(found - 10 * PER_SECOND) <= 1


def test_a_large_body_counts_as_many() -> None:
    clock, decision = Clock(), decided(table_of(RULES), b"/a")
    samples = ComparisonSamples(clock)
    assert samples.wants(decision)
    samples.took(16 * 1024 * 1024)  # 256 pairs
    assert not samples.wants(decision)
    clock.now += (256 - BURST) / PER_SECOND
    assert not samples.wants(decision)
    clock.now += 3.5 / PER_SECOND
    assert samples.wants(decision)
    samples.took(0)
    assert samples.wants(decision)


def test_none_where_responses_are_discarded() -> None:
    table, samples = table_of(RULES), ComparisonSamples()
    samples.rules_changed(table)
    samples.enabled = False
    assert chosen(samples, decided(table, b"/a"), 10) == 0
