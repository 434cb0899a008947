from __future__ import annotations

from collections.abc import Callable

import pytest

from mirror_addon.istio.analysis import analyze
from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.parsing import ParsedRules

Make = Callable[..., str]
Analyzed = Callable[..., list[Diagnostic]]
HOST = "b.default.svc.cluster.local"


def brief(found: list[Diagnostic]) -> list[tuple[str, str, str]]:
    return [(item.severity, item.code, item.path) for item in found]


@pytest.mark.parametrize(
    ("http", "expected"),
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
def test_references(route: Make, analyzed: Analyzed, entry: str, rule: str, http: str, expected: list[object]) -> None:
    assert brief(analyzed(route(http), entry, rule)) == expected


def test_a_reference_says_what_would_give_it_an_endpoint(route: Make, analyzed: Analyzed) -> None:
    found = analyzed(route("route: [{destination: {host: b, subset: v2}}]"))
    assert f"--set mirror_endpoints={HOST}/v2=ADDRESS:PORT" in found[0].message
    assert [item.path.rpartition(".")[2] for item in found] == ["host", "subset"]
    assert (found[0].line, found[0].column) == (10, 35)


def test_overrides_satisfy_references(route: Make, analyzed: Analyzed, entry: str) -> None:
    text = route("route: [{destination: {host: b, subset: v2}}], mirror: {host: c}")
    assert analyzed(text, entry, overrides=((HOST, "v2"), ("c.default.svc.cluster.local", ""))) == []


def test_a_host_by_option_may_have_any_port(route: Make, analyzed: Analyzed) -> None:
    text = route("route: [{destination: {host: c, subset: v1, port: {number: 81}}}]")
    found = analyzed(text, overrides=(("c.default.svc.cluster.local", "v2"),))
    assert brief(found) == [("error", "IST0101", "spec.http[0].route[0].destination.subset")]


def test_several_ports_and_none_chosen(make: Make, route: Make, analyzed: Analyzed) -> None:
    service = make("Service", "ports: [{port: 80, name: a}, {port: 81, name: b}]\nselector: {app: b}", "b")
    workload = make("WorkloadEntry", "address: 1.2.3.4\nlabels: {app: b}", "w")
    text = route("route: [{destination: {host: b}}], mirror: {host: b}")
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


def test_rule_for_an_unknown_host(analyzed: Analyzed, rule: str) -> None:
    assert brief(analyzed(rule)) == [("warning", "IST0174", "spec.host")]
    assert analyzed(rule, overrides=((HOST, "v1"),)) == []


def test_a_delegate_that_is_there(make: Make, route: Make, analyzed: Analyzed, entry: str) -> None:
    delegate = make("VirtualService", "http:\n- {route: [{destination: {host: b}}]}", "inner")
    root = route("delegate: {name: inner}, match: [{uri: {prefix: /a}}]")
    assert analyzed(root, delegate, entry) == []
    other = route("route: [{destination: {host: b}}]", "inner")
    found = analyzed(root, other, entry)
    assert "has hosts, so it is not a delegate" in found[0].message


def test_missing_destinations_are_left_to_validation(route: Make, parse: Callable[..., ParsedRules]) -> None:
    parsed = parse(route("route: [{}], mirrors: [{}]"))
    assert [item.path for item in parsed.diagnostics] == ["spec.http[0].route[0]", "spec.http[0].mirrors[0]"]
    assert analyze(parsed.resources) == []


@pytest.mark.parametrize(
    ("section", "head"),
    [("tcp", "- match: [{port: 1}]"), ("tls", "- match: [{sniHosts: [x.example]}]")],
)
@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("{host: b, subset: v1}", []),
        ("{host: c}", [("error", "IST0101", "destination.host")]),
        ("{host: b, subset: v9}", [("error", "IST0101", "destination.subset")]),
        ("{host: b, port: {number: 81}}", [("error", "IST0101", "destination.port.number")]),
    ],
)
def test_destinations_of_connections(
    make: Make,
    analyzed: Analyzed,
    entry: str,
    rule: str,
    section: str,
    head: str,
    destination: str,
    expected: list[object],
) -> None:
    spec = f"hosts: [x.example]\ngateways: [gw/g]\n{section}:\n{head}\n  route: [{{destination: {destination}}}]"
    found = [
        (severity, code, path.removeprefix(f"spec.{section}[0].route[0]."))
        for severity, code, path in brief(analyzed(make("VirtualService", spec), entry, rule))
    ]
    assert found == expected


def test_connections_are_not_routed_so_they_need_no_endpoint(make: Make, analyzed: Analyzed) -> None:
    service = make("Service", "ports: [{name: http, port: 80}]", "b")
    spec = "hosts: [x.example]\ngateways: [gw/g]\ntcp: [{route: [{destination: {host: b}}]}]"
    assert analyzed(make("VirtualService", spec), service) == []


def test_entries_with_one_port_each_leave_no_choice(make: Make, route: Make, analyzed: Analyzed, entry: str) -> None:
    other = entry.replace("number: 80", "number: 90").replace("name: entry", "name: other")
    assert analyzed(route("route: [{destination: {host: b}}]"), entry, other) == []
    text = route("route: [{destination: {host: b, port: {number: 90}}}]")
    assert analyzed(text, entry, other) == []
    assert [item.code for item in analyzed(text.replace("90", "91"), entry, other)] == ["IST0101"]


@pytest.mark.parametrize(("host", "codes"), [("outbound_.443_._.a.b", []), ("a.b", ["IST0101"])])
def test_destinations_of_a_gateway_between_clusters_are_elsewhere(
    make: Make, analyzed: Analyzed, host: str, codes: list[str]
) -> None:
    tls = f"tls: [{{match: [{{sniHosts: ['{host}']}}], route: [{{destination: {{host: a.b}}}}]}}]"
    found = analyzed(make("VirtualService", f"hosts: ['{host}']\ngateways: [gw/g]\n{tls}"))
    assert [item.code for item in found] == codes
