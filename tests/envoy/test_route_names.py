from __future__ import annotations

from collections import Counter
from fractions import Fraction as Exact

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.envoy.route_names import NamedRoute
from mirror_addon.envoy.route_names import RouteNames
from mirror_addon.envoy.route_names import sampled_share
from mirror_addon.gateway_api.reading import GATEWAY_API
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.routing.fractions import HUNDRED
from mirror_addon.routing.fractions import MILLION
from mirror_addon.routing.fractions import Fraction
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import MirrorTo
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.virtual_services import RouteEntry

SERVICE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: x%s}
spec: {hosts: [a.test, b.test], http: %s}
"""


def table(http: str, more: str = "", annotations: str = "", urls: tuple[MirrorTo, ...] = ()) -> RouteTable:
    text = SERVICE % (annotations, http) + more
    resources = parse_sources([Source("x.yaml", text.encode())], extension=GATEWAY_API).resources
    return RouteTable.build(resources, Identity(), mirror_to=urls)


def entries(made: RouteTable) -> list[RouteEntry]:
    found = (entry for host in made.virtual_hosts for service in host.services for entry in service.entries)
    return list({id(entry): entry for entry in found}.values())


def test_every_entry_is_found_by_its_name() -> None:
    made = table(
        "[{match: [{uri: {prefix: /a}}, {uri: {prefix: /b}}], route: [{destination: {host: v1}}]}, {route: []}]"
    )
    names = RouteNames(made)
    assert [names.name(entry) for entry in entries(made)] == [
        "default/x http[0] match[0]",
        "default/x http[0] match[1]",
        "default/x http[1]",
    ]
    for entry in entries(made):
        assert names.find(names.name(entry)) == NamedRoute(entry.route.rule, entry)


@pytest.mark.parametrize("name", ["", "default/x http[9]", "default/x http[0] sampled", "this listener", "default"])
def test_names_of_others_are_nobodys(name: str) -> None:
    assert RouteNames(table("[{route: [{destination: {host: v1}}], mirror: {host: v2}}]")).find(name) is None


def test_rules_that_have_a_name_in_common_are_numbered() -> None:
    routes = "".join(
        f"---\napiVersion: gateway.networking.k8s.io/v1\nkind: {kind}\nmetadata: {{name: r}}\n"
        f"spec: {{parentRefs: [{{name: g}}], hostnames: [c.test, d.test], rules: [{{matches: [{match}]}}]}}\n"
        for kind, match in (("HTTPRoute", "{path: {value: /x}}"), ("GRPCRoute", "{method: {service: s.S}}"))
    )
    delegate = """---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: inner}
spec: {http: [{route: [{destination: {host: v1}}]}]}
"""
    root = "{match: [{uri: {prefix: /%s}}], delegate: {name: inner}}"
    made = table(f"[{root % 'a'}, {root % 'b'}]", delegate + routes)
    names = RouteNames(made)
    found = {names.name(entry) for entry in entries(made)}
    assert found == {
        "default/inner http[0]",
        "default/inner http[0] #2",
        "default/r rules[0] match[0]",
        "default/r rules[0] match[0] #2",
    }
    for entry in entries(made):
        same = names.find(names.name(entry))
        assert same is not None and same.entry is not None
        assert (same.entry.route, same.entry.match) == (entry.route, entry.match)


def test_what_passes_through() -> None:
    without, with_mirror = table("[]"), table("[]", urls=(MirrorTo("http", "127.0.0.1", 9),))
    assert RouteNames(without).find("passthrough") == NamedRoute(None, None)
    assert RouteNames(with_mirror).find("passthrough") == NamedRoute(with_mirror.passthrough.rule, None)


MIRROR = "{destination: {host: v2}, percentage: {value: %s}}"


@pytest.mark.parametrize(
    ("mirrors", "share"),
    [
        ("mirrors: []", None),
        ("mirror: {host: v2}", None),
        ("mirror: {host: v2}, mirrorPercentage: {value: 10}", (100_000, MILLION)),
        ("mirror: {host: v2}, mirror_percent: 5", (5, HUNDRED)),
        ("mirror: {host: v2}, mirrorPercentage: {value: 0}", None),
        (f"mirrors: [{MIRROR % 0.5}, {MIRROR % 20}, {MIRROR % 0}]", (200_000, MILLION)),
        (f"mirrors: [{MIRROR % 0.5}, {MIRROR % 100}]", None),
        (f"mirrors: [{MIRROR % 0.5}, {{destination: {{host: v3}}}}]", None),  # 100 of 100, and 5000 of a million
        (f"mirror: {{host: v2}}, mirror_percent: 5, mirrors: [{MIRROR % 20}]", None),
    ],
)
def test_the_share_that_contains_those_of_all_mirrors(mirrors: str, share: tuple[int, int] | None) -> None:
    made = table(f"[{{route: [{{destination: {{host: v1}}}}], {mirrors}}}]")
    (entry,) = entries(made)
    found = sampled_share(entry.route)
    assert (found and (found.numerator, found.denominator)) == share
    names = RouteNames(made)
    named = names.find(names.sampled_name(entry))
    assert named == (NamedRoute(entry.route.rule, entry, found) if found else None)


def test_a_share_by_user_is_not_one_of_draws() -> None:
    annotations = ", annotations: {mirror-addon/sample-by: 'header:x-user'}"
    rule = "{route: [{destination: {host: v1}}], mirror: {host: v2}, mirrorPercentage: {value: 10}}"
    (entry,) = entries(table(f"[{rule}]", annotations=annotations))
    assert entry.route.sampler is not None
    assert sampled_share(entry.route) is None


DRAWS = st.integers(0, 2**64 - 1)


@settings(max_examples=50)
@given(DRAWS, st.integers(1, MILLION))
def test_a_draw_of_a_sampled_route_is_one_that_envoy_can_have_made(number: int, numerator: int) -> None:
    share = Fraction(0, numerator, MILLION)
    assert share.includes(NamedRoute(None, None, share).draw(number))
    assert NamedRoute(None, None).draw(number) == number


@pytest.mark.parametrize(("numerator", "denominator"), [(7, HUNDRED), (100, HUNDRED), (3, 10)])
def test_its_draws_are_uniform(numerator: int, denominator: int) -> None:
    named = NamedRoute(None, None, Fraction(0, numerator, denominator))
    count = Counter(named.draw(number) % denominator for number in range(denominator * 10))
    assert set(count) == set(range(numerator))
    expected = Exact(denominator * 10, numerator)
    assert all(abs(each - expected) <= 10 for each in count.values())
