from __future__ import annotations

from collections.abc import Callable

import pytest

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


def exported(make: Make, kind: str, export_to: str, spec: str = "", name: str = "s", namespace: str = "one") -> str:
    if kind == "Service":
        text = make("Service", "ports: [{name: http, port: 80}]\nselector: {app: s}", name, namespace)
        return text.replace("spec:", f"  annotations: {{networking.istio.io/exportTo: '{export_to}'}}\nspec:")
    spec = f"hosts: [{spec}]\nexportTo: [{export_to}]\nports: [{{number: 80, name: http, protocol: HTTP}}]"
    return make("ServiceEntry", spec, name, namespace)


@pytest.mark.parametrize(
    ("export_to", "own", "known"),
    [
        ("two", "[]", False),
        ("default", "[]", True),
        ("two, default", "[]", True),
        (".", "[]", False),
        ("*", "[]", True),
        ("~", "[]", False),
        ("", "[]", True),
        ("two", "[two]", True),
        ("two", "[three, two]", True),
        ("default", "['.']", True),
        ("default", "[two]", False),
        ("*", "[two]", True),
    ],
)
@pytest.mark.parametrize("kind", ["Service", "ServiceEntry"])
def test_who_may_name_a_host(
    make: Make, route: Make, analyzed: Analyzed, kind: str, export_to: str, own: str, known: bool
) -> None:
    host = "s.one.svc.cluster.local"
    names = f"'{export_to}'" if export_to in ("*", "~", ".") else export_to
    service = exported(make, kind, export_to if kind == "Service" else names, host)
    text = route(f"route: [{{destination: {{host: {host}}}}}]", head=f"hosts: [x.y]\nexportTo: {own}")
    found = [item for item in analyzed(text, service) if item.severity == "error"]
    assert brief(found) == [("error", "IST0101", "spec.http[0].route[0].destination.host")] * (not known)
    if not known:
        assert "that of one is not exported to this namespace" in found[0].message


@pytest.mark.parametrize(
    ("export_to", "host", "known"),
    [
        ("'.'", "api.shop.example", False),
        ("default", "api.shop.example", True),
        ("'*'", "api.shop.example", True),
        ("'*'", "shop.example", False),
        ("'*'", "'*.shop.example'", True),
        ("'*'", "'*.example'", False),
        ("'*'", "a.b.shop.example", True),
    ],
)
def test_wildcards_that_make_a_host_known(
    make: Make, route: Make, analyzed: Analyzed, export_to: str, host: str, known: bool
) -> None:
    wildcard = exported(make, "ServiceEntry", export_to, "'*.shop.example'")
    found = analyzed(route(f"route: [{{destination: {{host: {host}}}}}]"), wildcard)
    assert [item.code for item in found] == ["IST0101"] * (not known)


def test_the_longest_wildcard_has_the_ports(make: Make, route: Make, analyzed: Analyzed) -> None:
    wide = exported(make, "ServiceEntry", "'*'", "'*.example'", "wide")
    narrow = exported(make, "ServiceEntry", "'*'", "'*.shop.example'", "narrow").replace("number: 80", "number: 90")
    text = route("route: [{destination: {host: a.shop.example, port: {number: 80}}}]")
    assert [item.code for item in analyzed(text, wide)] == []
    assert [item.path for item in analyzed(text, wide, narrow)] == ["spec.http[0].route[0].destination.port.number"]


SERVICE = "ports: [{name: http, port: 80}]\nselector: {app: b}"


def workload(kind: str, labels: str, more: str = "") -> str:
    group = "v1" if kind in ("Pod", "ReplicationController") else "apps/v1"
    if kind == "Pod":
        return f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p, labels: {labels}}}\n"
    template = f"template: {{metadata: {{labels: {labels}}}}}"
    return f"apiVersion: {group}\nkind: {kind}\nmetadata: {{name: p}}\nspec: {{{more}{template}}}\n"


@pytest.mark.parametrize(
    "kind", ["Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController"]
)
@pytest.mark.parametrize(
    ("labels", "severity", "code"),
    [
        ("{app: b, version: v1}", "info", "IST0133"),
        ("{app: b, version: v2}", "error", "IST0173"),
        ("{app: b}", "error", "IST0173"),
        ("{app: c, version: v1}", "warning", "IST0173"),
    ],
)
def test_pods_and_templates_say_which_subsets_there_are(
    make: Make, analyzed: Analyzed, rule: str, kind: str, labels: str, severity: str, code: str
) -> None:
    found = analyzed(make("Service", SERVICE, "b"), rule, workload(kind, labels))
    assert brief(found) == [(severity, code, "spec.subsets[0]")]


def test_a_deployment_without_pods_has_no_subset(make: Make, analyzed: Analyzed, rule: str) -> None:
    service = make("Service", SERVICE, "b")
    old = workload("ReplicaSet", "{app: b, version: v1}", "replicas: 0, ")
    new = workload("ReplicaSet", "{app: b, version: v2}", "replicas: 1, ").replace("name: p", "name: q")
    assert [item.severity for item in analyzed(service, rule, old, new)] == ["error"]


def test_pods_of_other_namespaces_do_not_count(make: Make, analyzed: Analyzed, rule: str) -> None:
    pod = workload("Pod", "{app: b, version: v1}").replace("name: p", "name: p, namespace: other")
    assert [item.severity for item in analyzed(make("Service", SERVICE, "b"), rule, pod)] == ["warning"]


def test_a_service_with_pods_and_no_endpoint_here(make: Make, route: Make, analyzed: Analyzed) -> None:
    text = route("route: [{destination: {host: b}}]")
    found = analyzed(text, make("Service", SERVICE, "b"), workload("Pod", "{app: b}"))
    assert brief(found) == [("info", "IST0133", "spec.http[0].route[0].destination.host")]
    assert "has pods, and no endpoint on this machine; declare a ServiceEntry" in found[0].message


def test_an_entry_selects_pods_too(make: Make, analyzed: Analyzed, rule: str) -> None:
    spec = (
        f"hosts: [{HOST}]\nresolution: STATIC\nports: [{{number: 80, name: http, protocol: HTTP}}]\n"
        "workloadSelector: {labels: {app: b}}"
    )
    entry = make("ServiceEntry", spec, "entry")
    assert [item.severity for item in analyzed(entry, rule, workload("Pod", "{app: b, version: v1}"))] == ["info"]
    assert [item.code for item in analyzed(entry, rule, workload("Pod", "{app: b, version: v2}"))] == ["IST0173"]


def test_endpoints_of_slices_have_the_labels_of_their_pods(
    make: Make, route: Make, analyzed: Analyzed, rule: str
) -> None:
    slices = (
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
        "metadata: {name: b-1, namespace: default, labels: {kubernetes.io/service-name: b}}\n"
        "endpoints: [{addresses: [10.0.0.1], targetRef: {kind: Pod, name: p}}]\nports: [{name: http, port: 8080}]\n"
    )
    service, text = make("Service", SERVICE, "b"), route("route: [{destination: {host: b}}]")
    assert analyzed(text, service, slices, rule, workload("Pod", "{app: b, version: v1}")) == []
    found = analyzed(text, service, slices, rule, workload("Pod", "{app: b, version: v2}"))
    assert brief(found) == [("error", "IST0173", "spec.subsets[0]")]


def test_an_external_name_is_an_endpoint(make: Make, route: Make, analyzed: Analyzed) -> None:
    external = make("Service", "type: ExternalName\nexternalName: a.example\nports: [{name: http, port: 80}]", "b")
    assert analyzed(route("route: [{destination: {host: b}}]"), external) == []
