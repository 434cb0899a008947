"""Section 5.7 of the fact sheet: findings between resources."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mirror_addon.istio.analysis import analyze
from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources

Make = Callable[..., str]
Analyzed = Callable[..., list[Diagnostic]]
HOST = "b.default.svc.cluster.local"


@pytest.fixture
def entry(make: Make) -> str:
    return make(
        "ServiceEntry",
        f"hosts: [{HOST}]\nresolution: STATIC\nports: [{{number: 80, name: http, protocol: HTTP}}]\n"
        "endpoints: [{address: 1.2.3.4, labels: {version: v1}}]",
        "entry",
    )


@pytest.fixture
def rule(make: Make) -> str:
    return make("DestinationRule", "host: b\nsubsets: [{name: v1, labels: {version: v1}}]", "rule")


def virtual_service(make: Make, route: str, name: str = "vs", head: str = "hosts: [x.y]\ngateways: [gw/g]") -> str:
    return make("VirtualService", f"{head}\nhttp:\n- {{{route}}}", name)


def brief(found: list[Diagnostic]) -> list[tuple[str, str, str]]:
    return [(item.severity, item.code, item.path) for item in found]


def test_the_worked_example_is_complete() -> None:
    rules = Path(__file__).parents[2] / "rules"
    parsed = parse_sources([Source(file.name, file.read_bytes()) for file in sorted(rules.glob("*.yaml"))])
    assert analyze(parsed.resources) == []


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ("route: [{destination: {host: b, subset: v1}}], mirror: {host: b, subset: v1}", []),
        ("route: [{destination: {host: b, port: {number: 80}}}]", []),
        ("route: [{destination: {host: c}}]", [("error", "IST0101", "spec.http[0].route[0].destination.host")]),
        ("route: [{destination: {host: b.other}}]", [("error", "IST0101", "spec.http[0].route[0].destination.host")]),
        ("route: [{destination: {host: b}}], mirror: {host: c}", [("error", "IST0101", "spec.http[0].mirror.host")]),
        (
            "route: [{destination: {host: b}}], mirror: {host: b, subset: v9}",
            [("error", "IST0101", "spec.http[0].mirror.subset")],
        ),
        (
            "route: [{destination: {host: b}}], mirrors: [{destination: {host: c}}]",
            [("error", "IST0101", "spec.http[0].mirrors[0].destination.host")],
        ),
        (
            "route: [{destination: {host: b, subset: v9}}]",
            [("error", "IST0101", "spec.http[0].route[0].destination.subset")],
        ),
        (
            "route: [{destination: {host: b, port: {number: 81}}}]",
            [("error", "IST0101", "spec.http[0].route[0].destination.port.number")],
        ),
        ("delegate: {name: nobody}", [("error", "IST0101", "spec.http[0].delegate")]),
    ],
)
def test_references(make: Make, analyzed: Analyzed, entry: str, rule: str, route: str, expected: list[object]) -> None:
    assert brief(analyzed(virtual_service(make, route), entry, rule)) == expected


def test_a_reference_says_what_would_give_it_an_endpoint(make: Make, analyzed: Analyzed) -> None:
    found = analyzed(virtual_service(make, "route: [{destination: {host: b, subset: v2}}]"))
    assert f"--set mirror_endpoints={HOST}/v2=ADDRESS:PORT" in found[0].message
    assert (found[0].line, found[0].column) == (10, 35)


def test_overrides_satisfy_references(make: Make, analyzed: Analyzed, entry: str) -> None:
    text = virtual_service(make, "route: [{destination: {host: b, subset: v2}}], mirror: {host: c}")
    assert analyzed(text, entry, overrides=((HOST, "v2"), ("c.default.svc.cluster.local", ""))) == []


def test_wildcard_entries_and_kubernetes_services_count(make: Make, analyzed: Analyzed) -> None:
    wildcard = make(
        "ServiceEntry",
        "hosts: ['*.foo.com']\nresolution: NONE\nports: [{number: 80, name: http, protocol: HTTP}]",
        "wild",
    )
    service = make("Service", "ports: [{port: 80}]", "b")
    assert analyzed(virtual_service(make, "route: [{destination: {host: a.foo.com}}]"), wildcard) == []
    found = analyzed(virtual_service(make, "route: [{destination: {host: b}}]"), service)
    assert brief(found) == [("warning", "IST0101", "spec.http[0].route[0].destination.host")]
    assert "no endpoint on this machine" in found[0].message


def test_entries_of_other_namespaces_may_be_hidden(make: Make, analyzed: Analyzed) -> None:
    hidden = make(
        "ServiceEntry",
        "hosts: [x.com]\nexportTo: ['.']\nresolution: DNS\nports: [{number: 80, name: http, protocol: HTTP}]",
        "hidden",
        "other",
    )
    found = analyzed(virtual_service(make, "route: [{destination: {host: x.com}}]"), hidden)
    assert [item.code for item in found] == ["IST0101"]


def test_several_ports_and_none_chosen(make: Make, analyzed: Analyzed) -> None:
    service = make("Service", "ports: [{port: 80, name: a}, {port: 81, name: b}]\nselector: {app: b}", "b")
    workload = make("WorkloadEntry", "address: 1.2.3.4\nlabels: {app: b}", "w")
    text = virtual_service(make, "route: [{destination: {host: b}}], mirror: {host: b}")
    assert sorted(brief(analyzed(text, service, workload))) == [
        ("error", "IST0112", "spec.http[0].mirror"),
        ("error", "IST0112", "spec.http[0].route[0].destination"),
    ]


def test_subset_without_endpoints(make: Make, analyzed: Analyzed, entry: str) -> None:
    rule = make("DestinationRule", "host: b\nsubsets:\n- name: v2\n  labels: {version: v2}\n- name: all", "rule")
    found = analyzed(rule, entry)
    assert brief(found) == [("error", "IST0173", "spec.subsets[0]")]
    assert "rules.yaml:22" in found[0].message
    assert analyzed(rule, entry, overrides=((HOST, "v2"),)) == []


def test_subset_of_a_dns_entry_without_endpoints(make: Make, analyzed: Analyzed) -> None:
    dns = make(
        "ServiceEntry", "hosts: [x.com]\nresolution: DNS\nports: [{number: 80, name: http, protocol: HTTP}]", "dns"
    )
    rule = make("DestinationRule", "host: x.com\nsubsets: [{name: v1, labels: {a: b}}, {name: all}]", "rule")
    assert brief(analyzed(dns, rule)) == [("error", "IST0173", "spec.subsets[0]")]


def test_subsets_of_kubernetes_services_have_their_pods_elsewhere(make: Make, analyzed: Analyzed, rule: str) -> None:
    found = analyzed(make("Service", "ports: [{port: 80}]", "b"), rule)
    assert brief(found) == [("warning", "IST0173", "spec.subsets[0]")]


def test_workload_selectors_merge_labels_and_metadata_wins(make: Make, analyzed: Analyzed, rule: str) -> None:
    selecting = make(
        "ServiceEntry",
        f"hosts: [{HOST}]\nresolution: STATIC\nports: [{{number: 80, name: http, protocol: HTTP}}]\n"
        "workloadSelector: {labels: {app: b}}",
        "entry",
    )
    workload = make("WorkloadEntry", "address: 1.2.3.4\nlabels: {app: b, version: v0}", "w")
    assert [item.code for item in analyzed(selecting, workload, rule)] == ["IST0173"]
    labelled = workload.replace("  name: w\n", "  name: w\n  labels: {version: v1}\n")
    assert analyzed(selecting, labelled, rule) == []


def test_rule_for_an_unknown_host(analyzed: Analyzed, rule: str) -> None:
    assert brief(analyzed(rule)) == [("warning", "IST0174", "spec.host")]
    assert analyzed(rule, overrides=((HOST, "v1"),)) == []


MESH = "hosts: [b]"
TO_B = "route: [{destination: {host: b}}]"


def test_one_host_in_several_mesh_virtual_services(make: Make, analyzed: Analyzed, entry: str) -> None:
    one, two = virtual_service(make, TO_B, "one", MESH), virtual_service(make, TO_B, "two", f"hosts: [{HOST}]")
    assert brief(analyzed(one, two, entry)) == [("error", "IST0109", "spec.hosts[0]")] * 2
    gateway = virtual_service(make, TO_B, "two", f"hosts: [{HOST}]\ngateways: [gw/g]")
    assert analyzed(one, gateway, entry) == []


def test_scopes_that_do_not_meet_do_not_conflict(make: Make, analyzed: Analyzed, entry: str) -> None:
    one = virtual_service(make, TO_B, "one", f"{MESH}\nexportTo: [x]")
    two = virtual_service(make, TO_B, "two", f"{MESH}\nexportTo: ['.']")
    assert analyzed(one, two, entry) == []


def test_gateways(make: Make, analyzed: Analyzed, entry: str) -> None:
    gateway = make("Gateway", "selector: {}\nservers: [{port: {}, hosts: ['ns/*.y', z]}]", "g", "gw")
    assert analyzed(virtual_service(make, TO_B), entry, gateway) == []
    other_host = virtual_service(make, TO_B, head="hosts: [x.z]\ngateways: [gw/g]")
    assert brief(analyzed(other_host, entry, gateway)) == [("warning", "IST0132", "spec.hosts[0]")]
    other_gateway = virtual_service(make, TO_B, head="hosts: [x.y]\ngateways: [gw/h]")
    assert brief(analyzed(other_gateway, entry, gateway)) == [("error", "IST0101", "spec.gateways[0]")]
    assert analyzed(other_gateway, entry) == []


def test_subset_rules_do_not_hold_behind_a_gateway(make: Make, analyzed: Analyzed, entry: str, rule: str) -> None:
    split = virtual_service(make, "route: [{destination: {host: b, subset: v1}}]", "split", MESH)
    assert brief(analyzed(split, virtual_service(make, TO_B), entry, rule)) == [
        ("warning", "IST0140", "spec.http[0].route[0].destination.host")
    ]


def test_ports_with_different_protocols(make: Make, analyzed: Analyzed, entry: str) -> None:
    other = entry.replace("name: entry", "name: other").replace("protocol: HTTP", "protocol: HTTP2")
    assert brief(analyzed(entry, other)) == [("warning", "IST0177", "spec.ports[0].protocol")]


def test_one_object_twice(analyzed: Analyzed, entry: str) -> None:
    found = analyzed(entry, entry)
    assert brief(found) == [("warning", "IST0133", "metadata.name")]
    assert "rules.yaml:4" in found[0].message


def test_ten_thousand_routes(make: Make, entry: str, rule: str) -> None:
    routes = "\n".join(
        f"- match: [{{uri: {{prefix: /service-{number}/}}}}]\n  route: [{{destination: {{host: b, subset: v1}}}}]\n"
        f"  mirror: {{host: b, subset: v1}}"
        for number in range(10_000)
    )
    text = "---\n".join([make("VirtualService", f"hosts: [x.y]\ngateways: [gw/g]\nhttp:\n{routes}"), entry, rule])
    started = time.process_time()
    parsed = parse_sources([Source("f", text.encode())])
    assert analyze(parsed.resources) == []
    # 1.5 s on a quiet machine.
    assert time.process_time() - started < 6
    assert parsed.diagnostics == ()
