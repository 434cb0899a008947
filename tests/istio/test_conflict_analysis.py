from __future__ import annotations

from collections.abc import Callable

import pytest

from mirror_addon.istio.diagnostics import Diagnostic

Make = Callable[..., str]
Analyzed = Callable[..., list[Diagnostic]]
HOST = "b.default.svc.cluster.local"


MESH = "hosts: [b]"
TO_B = "route: [{destination: {host: b}}]"


def brief(found: list[Diagnostic]) -> list[tuple[str, str, str]]:
    return [(item.severity, item.code, item.path) for item in found]


def test_one_host_in_several_mesh_virtual_services(route: Make, analyzed: Analyzed, entry: str) -> None:
    one, two = route(TO_B, "one", MESH), route(TO_B, "two", f"hosts: [{HOST}]")
    assert brief(analyzed(one, two, entry)) == [("error", "IST0109", "spec.hosts[0]")] * 2
    gateway = route(TO_B, "two", f"hosts: [{HOST}]\ngateways: [gw/g]")
    assert analyzed(one, gateway, entry) == []


@pytest.mark.parametrize(
    ("one", "two", "conflict"),
    [
        (("b", "[x]"), ("b", "['.']"), False),
        (("b", "[x]"), ("b", "[x, w]"), True),
        (("b", "['.']"), ("b", "[default]"), True),
        (("b", "[x]"), ("b", "['*']"), True),
        (("b", "['*']"), ("b", "[]"), True),
        (("'*.a.b'", "['.']"), ("'*.b'", "['*']"), True),
        (("x.a.b", "['.']"), ("'*.b'", "['*']"), True),
        (("'*.b'", "['.']"), ("x.a.b", "['*']"), True),
        (("'*.b'", "['.']"), ("'*.b'", "['*']"), True),
        (("'*.a.b'", "['*']"), ("'*.b'", "['*']"), False),
        (("x.a.b", "['*']"), ("'*.b'", "['*']"), False),
        (("x.a.b", "['.']"), ("'*.b'", "['.']"), False),
        (("x.a.b", "['.']"), ("'*.c'", "['*']"), False),
    ],
)
def test_hosts_of_the_mesh_by_scope(
    route: Make, analyzed: Analyzed, entry: str, one: tuple[str, str], two: tuple[str, str], conflict: bool
) -> None:
    texts = [
        route(TO_B, name, f"hosts: [{host}]\nexportTo: {scope}") for name, (host, scope) in (("one", one), ("two", two))
    ]
    found = [item for item in analyzed(*texts, entry) if item.code == "IST0109"]
    assert brief(found) == [("error", "IST0109", "spec.hosts[0]")] * 2 * conflict


def test_a_conflict_through_a_wildcard_names_it(route: Make, analyzed: Analyzed, entry: str) -> None:
    scoped = route(TO_B, "one", "hosts: [a.b]\nexportTo: ['.']")
    found = [item for item in analyzed(scoped, route(TO_B, "two", "hosts: ['*.b']"), entry) if item.code == "IST0109"]
    assert "claimed by default/two (as *.b) too" in found[0].message
    assert "claimed by default/one (as a.b) too" in found[1].message


def test_one_virtual_service_does_not_conflict_with_itself(route: Make, analyzed: Analyzed, entry: str) -> None:
    assert analyzed(route(TO_B, "one", "hosts: [a.b, '*.c']\nexportTo: [x, z]"), entry) == []


def test_subset_rules_do_not_hold_behind_a_gateway(route: Make, analyzed: Analyzed, entry: str, rule: str) -> None:
    split = route("route: [{destination: {host: b, subset: v1}}]", "split", MESH)
    assert brief(analyzed(split, route(TO_B), entry, rule)) == [
        ("warning", "IST0140", "spec.http[0].route[0].destination.host")
    ]


@pytest.mark.parametrize(
    ("one", "two", "protocol", "conflict"),
    [
        ("[]", "[]", "HTTP2", True),
        ("[]", "[]", "http", False),
        ("[]", "[]", "''", True),
        ("['.']", "['.']", "HTTP2", True),
        ("[x]", "[w]", "HTTP2", False),
        ("[x, w]", "[w, z]", "HTTP2", True),
        ("['*']", "[w]", "HTTP2", True),
        ("['~']", "['~']", "HTTP2", True),
        ("['~']", "[w]", "HTTP2", False),
    ],
)
def test_ports_with_different_protocols(
    analyzed: Analyzed, entry: str, one: str, two: str, protocol: str, conflict: bool
) -> None:
    first = entry.replace("spec:\n", f"spec:\n  exportTo: {one}\n")
    other = entry.replace("name: entry", "name: other").replace("protocol: HTTP", f"protocol: {protocol}")
    other = other.replace("spec:\n", f"spec:\n  exportTo: {two}\n")
    found = [item for item in analyzed(first, other) if item.code == "IST0177"]
    assert brief(found) == [("warning", "IST0177", "spec.ports[0].protocol")] * 2 * conflict


def test_entries_of_two_namespaces_that_only_they_see(make: Make, analyzed: Analyzed) -> None:
    spec = "hosts: [x.example]\nexportTo: ['.']\nresolution: DNS\nports: [{number: 80, name: a, protocol: %s}]"
    one, two = make("ServiceEntry", spec % "HTTP", "a", "one"), make("ServiceEntry", spec % "TLS", "b", "two")
    assert analyzed(one, two) == []


def test_gateways_of_two_groups_with_one_name_are_two_objects(make: Make, analyzed: Analyzed) -> None:
    istio = make("Gateway", "servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: ['*']}]", "g")
    other = make("Gateway", "listeners: [{name: a, port: 80, protocol: HTTP}]", "g")
    other = other.replace("networking.istio.io/v1", "gateway.networking.k8s.io/v1")
    assert analyzed(istio, other) == []


def test_one_object_twice(analyzed: Analyzed, entry: str) -> None:
    found = analyzed(entry, entry)
    assert brief(found) == [("warning", "IST0133", "metadata.name")]
    assert "rules.yaml:4" in found[0].message


def test_a_conflict_names_at_most_five_others(route: Make, analyzed: Analyzed, entry: str) -> None:
    found = analyzed(*(route(TO_B, f"vs{number}", MESH) for number in range(8)), entry)
    assert len(found) == 8
    assert all(item.message.count("default/vs") == 5 for item in found)


def test_subset_rules_of_the_same_virtual_service(route: Make, analyzed: Analyzed, entry: str, rule: str) -> None:
    both = "route: [{destination: {host: b, subset: v1}, weight: 1}, {destination: {host: b}, weight: 1}]"
    assert analyzed(route(both, head="hosts: [b]\ngateways: [mesh, gw/g]"), entry, rule) == []
