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


def test_scopes_that_do_not_meet_do_not_conflict(route: Make, analyzed: Analyzed, entry: str) -> None:
    one = route(TO_B, "one", f"{MESH}\nexportTo: [x]")
    two = route(TO_B, "two", f"{MESH}\nexportTo: ['.']")
    assert analyzed(one, two, entry) == []


def test_gateways(make: Make, route: Make, analyzed: Analyzed, entry: str) -> None:
    gateway = make("Gateway", "selector: {}\nservers: [{port: {}, hosts: ['ns/*.y', z]}]", "g", "gw")
    assert analyzed(route(TO_B), entry, gateway) == []
    other_host = route(TO_B, head="hosts: [x.z]\ngateways: [gw/g]")
    assert brief(analyzed(other_host, entry, gateway)) == [("warning", "IST0132", "spec.hosts[0]")]
    other_gateway = route(TO_B, head="hosts: [x.y]\ngateways: [gw/h]")
    assert brief(analyzed(other_gateway, entry, gateway)) == [("error", "IST0101", "spec.gateways[0]")]
    assert analyzed(other_gateway, entry) == []


def test_subset_rules_do_not_hold_behind_a_gateway(route: Make, analyzed: Analyzed, entry: str, rule: str) -> None:
    split = route("route: [{destination: {host: b, subset: v1}}]", "split", MESH)
    assert brief(analyzed(split, route(TO_B), entry, rule)) == [
        ("warning", "IST0140", "spec.http[0].route[0].destination.host")
    ]


def test_ports_with_different_protocols(make: Make, analyzed: Analyzed, entry: str) -> None:
    other = entry.replace("name: entry", "name: other").replace("protocol: HTTP", "protocol: HTTP2")
    assert brief(analyzed(entry, other)) == [("warning", "IST0177", "spec.ports[0].protocol")]


def test_one_object_twice(analyzed: Analyzed, entry: str) -> None:
    found = analyzed(entry, entry)
    assert brief(found) == [("warning", "IST0133", "metadata.name")]
    assert "rules.yaml:4" in found[0].message


def test_a_conflict_names_at_most_five_others(route: Make, analyzed: Analyzed, entry: str) -> None:
    found = analyzed(*(route(TO_B, f"vs{number}", MESH) for number in range(8)), entry)
    assert len(found) == 8
    assert all(item.message.count("default/vs") == 5 for item in found)


@pytest.mark.parametrize("name", ["mesh, gw/g", "g.gw", "g.gw.svc.cluster.local"])
def test_other_forms_of_a_gateways_name(make: Make, route: Make, analyzed: Analyzed, entry: str, name: str) -> None:
    gateway = make("Gateway", "servers: [{hosts: ['*']}]", "g", "gw")
    assert analyzed(route(TO_B, head=f"hosts: [x.y]\ngateways: [{name}]"), entry, gateway) == []


def test_a_gateways_name_without_namespace_is_in_the_same(
    make: Make, route: Make, analyzed: Analyzed, entry: str
) -> None:
    text = route(TO_B, head="hosts: [x.y]\ngateways: [g]")
    assert analyzed(text, entry, make("Gateway", "servers: [{hosts: ['*']}]", "g")) == []
    found = analyzed(text, entry, make("Gateway", "servers: [{hosts: ['*']}]", "g", "gw"))
    assert brief(found) == [("error", "IST0101", "spec.gateways[0]")]


def test_subset_rules_of_the_same_virtual_service(route: Make, analyzed: Analyzed, entry: str, rule: str) -> None:
    both = "route: [{destination: {host: b, subset: v1}, weight: 1}, {destination: {host: b}, weight: 1}]"
    assert analyzed(route(both, head="hosts: [b]\ngateways: [mesh, gw/g]"), entry, rule) == []
