from __future__ import annotations

from collections.abc import Callable

from mirror_addon.istio.diagnostics import Diagnostic

Make = Callable[..., str]
Analyzed = Callable[..., list[Diagnostic]]
HOST = "b.default.svc.cluster.local"


def brief(found: list[Diagnostic]) -> list[tuple[str, str, str]]:
    return [(item.severity, item.code, item.path) for item in found]


def test_wildcard_entries_and_kubernetes_services_count(make: Make, route: Make, analyzed: Analyzed) -> None:
    wildcard = make(
        "ServiceEntry",
        "hosts: ['*.foo.com']\nresolution: NONE\nports: [{number: 80, name: http, protocol: HTTP}]",
        "wild",
    )
    service = make("Service", "ports: [{port: 80}]", "b")
    assert analyzed(route("route: [{destination: {host: a.foo.com}}]"), wildcard) == []
    found = analyzed(route("route: [{destination: {host: b}}]"), service)
    assert brief(found) == [("warning", "IST0101", "spec.http[0].route[0].destination.host")]
    assert "no endpoint on this machine" in found[0].message


def test_entries_of_other_namespaces_may_be_hidden(make: Make, route: Make, analyzed: Analyzed) -> None:
    hidden = make(
        "ServiceEntry",
        "hosts: [x.com]\nexportTo: ['.']\nresolution: DNS\nports: [{number: 80, name: http, protocol: HTTP}]",
        "hidden",
        "other",
    )
    found = analyzed(route("route: [{destination: {host: x.com}}]"), hidden)
    assert [item.code for item in found] == ["IST0101"]


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


def test_wildcard_rules_have_subsets_of_each_host(make: Make, route: Make, analyzed: Analyzed, entry: str) -> None:
    rule = make("DestinationRule", "host: '*.svc.cluster.local'\nsubsets: [{name: v1, labels: {version: v1}}]", "rule")
    assert analyzed(route("route: [{destination: {host: b, subset: v1}}]"), entry, rule) == []
    found = analyzed(route("route: [{destination: {host: b, subset: v2}}]"), entry, rule)
    assert brief(found) == [("error", "IST0101", "spec.http[0].route[0].destination.subset")]
    empty = rule.replace("version: v1", "version: v9")
    assert brief(analyzed(entry, empty)) == [("error", "IST0173", "spec.subsets[0]")]


def test_rules_of_other_namespaces_may_be_hidden(make: Make, route: Make, analyzed: Analyzed, entry: str) -> None:
    rule = make("DestinationRule", f"host: {HOST}\nexportTo: ['.']\nsubsets: [{{name: v1}}]", "rule", "other")
    found = analyzed(route("route: [{destination: {host: b, subset: v1}}]"), entry, rule)
    assert brief(found) == [("error", "IST0101", "spec.http[0].route[0].destination.subset")]
