from __future__ import annotations

from collections.abc import Callable

import pytest

from mirror_addon.istio.analysis import analyze
from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.parsing import ParsedRules

Make = Callable[..., str]
Analyzed = Callable[..., list[Diagnostic]]
TO_B = "route: [{destination: {host: b}}]"


def brief(found: list[Diagnostic]) -> list[tuple[str, str, str]]:
    return [(item.severity, item.code, item.path) for item in found]


def gateway(make: Make, hosts: str, name: str = "g", namespace: str = "gw", more: str = "", port: int = 80) -> str:
    server = f"{{port: {{number: {port}, name: http, protocol: HTTP}}, hosts: [{hosts}]{more}}}"
    return make("Gateway", f"selector: {{app: gw}}\nservers: [{server}]", name, namespace)


def kubernetes_gateway(make: Make, listeners: str, name: str = "g", namespace: str = "gw") -> str:
    text = make("Gateway", f"gatewayClassName: istio\nlisteners: [{listeners}]", name, namespace)
    return text.replace("networking.istio.io/v1", "gateway.networking.k8s.io/v1")


@pytest.mark.parametrize(
    ("accepted", "hosts", "found"),
    [
        ("'*'", "x.y", False),
        ("x.y", "x.y", False),
        ("'*.y'", "x.y", False),
        ("'*.y', z", "x.z", True),
        ("'*.y', a.z", "x.z, b.y", False),
        ("x.y", "'*.y'", False),
        ("'*/*'", "x.y", False),
        ("'*/x.y'", "x.y", False),
        ("default/x.y", "x.y", False),
        ("other/x.y", "x.y", True),
        ("other/x.y, default/z.y", "x.y, z.y", False),
        ("./x.y", "x.y", True),
    ],
)
def test_hosts_that_a_gateway_accepts(
    make: Make, route: Make, analyzed: Analyzed, entry: str, accepted: str, hosts: str, found: bool
) -> None:
    accepted = accepted.replace(", z", ", z.c")
    text = route(TO_B, head=f"hosts: [{hosts}]\ngateways: [gw/g]")
    expected = [("warning", "IST0132", "spec.gateways[0]")] * found
    assert brief(analyzed(text, entry, gateway(make, accepted))) == expected


def test_several_virtual_services_of_a_gateway(make: Make, route: Make, analyzed: Analyzed, entry: str) -> None:
    texts = [route(TO_B, name, f"hosts: [{host}]\ngateways: [gw/g]") for name, host in (("one", "x.y"), ("two", "x.z"))]
    found = analyzed(*texts, entry, gateway(make, "x.y"))
    assert [(item.line, item.code) for item in found] == [(19, "IST0132")]


def test_a_dot_is_the_gateways_own_namespace(make: Make, route: Make, analyzed: Analyzed, entry: str) -> None:
    text = route(TO_B, head="hosts: [x.y]\ngateways: [g]")
    assert analyzed(text, entry, gateway(make, "./x.y", namespace="default")) == []


def test_each_gateway_needs_one_of_the_hosts(make: Make, route: Make, analyzed: Analyzed, entry: str) -> None:
    gateways = gateway(make, "'*.api.c'", "api"), gateway(make, "'*.www.c'", "www"), gateway(make, "'*.d'", "d")
    text = route(TO_B, head="hosts: [a.api.c, b.www.c]\ngateways: [gw/api, gw/www, gw/d, mesh]")
    assert brief(analyzed(text, entry, *gateways)) == [("warning", "IST0132", "spec.gateways[2]")]


def test_a_gateway_that_is_missing(make: Make, route: Make, analyzed: Analyzed, entry: str) -> None:
    text = route(TO_B, head="hosts: [x.y]\ngateways: [gw/h]")
    missing = [("error", "IST0101", "spec.gateways[0]"), ("warning", "IST0132", "spec.gateways[0]")]
    assert brief(analyzed(text, entry, gateway(make, "'*'"))) == missing
    kubernetes = kubernetes_gateway(make, "{name: a, port: 80, protocol: HTTP}")
    assert brief(analyzed(text, entry, kubernetes)) == missing
    assert analyzed(text, entry) == [], "the gateways may be elsewhere"


@pytest.mark.parametrize(
    ("listeners", "found"),
    [
        ("{name: a, port: 80, hostname: '*.y'}", False),
        ("{name: a, port: 80, hostname: 'x.y'}, {name: b, port: 80, hostname: z.z}", False),
        ("{name: a, port: 80, hostname: z.z}", True),
        ("{name: a, port: 80, hostname: z.z}, {name: b, port: 80}", False),
        ("{name: a, port: 80, hostname: ''}", False),
        ("", True),
    ],
)
def test_gateways_of_the_gateway_api(
    make: Make, route: Make, analyzed: Analyzed, entry: str, listeners: str, found: bool
) -> None:
    text = route(TO_B, head="hosts: [x.y]\ngateways: [gw/g]")
    expected = [("warning", "IST0132", "spec.gateways[0]")] * found
    assert brief(analyzed(text, entry, kubernetes_gateway(make, listeners))) == expected


def test_istios_own_gateway_is_found_first(make: Make, route: Make, analyzed: Analyzed, entry: str) -> None:
    text = route(TO_B, head="hosts: [x.y]\ngateways: [gw/g]")
    other = kubernetes_gateway(make, "{name: a, port: 80, hostname: z.z}")
    assert analyzed(text, entry, gateway(make, "x.y"), other) == []
    assert analyzed(text, entry, other, gateway(make, "x.y")) == []


@pytest.mark.parametrize("name", ["mesh, gw/g", "g.gw", "g.gw.svc.cluster.local"])
def test_other_forms_of_a_gateways_name(make: Make, route: Make, analyzed: Analyzed, entry: str, name: str) -> None:
    assert analyzed(route(TO_B, head=f"hosts: [x.y]\ngateways: [{name}]"), entry, gateway(make, "'*'")) == []


def test_a_gateways_name_without_namespace_is_in_the_same(
    make: Make, route: Make, analyzed: Analyzed, entry: str
) -> None:
    text = route(TO_B, head="hosts: [x.y]\ngateways: [g]")
    assert analyzed(text, entry, gateway(make, "'*'", namespace="default")) == []
    found = analyzed(text, entry, gateway(make, "'*'"))
    missing = [("error", "IST0101", "spec.gateways[0]"), ("warning", "IST0132", "spec.gateways[0]")]
    assert brief(found) == missing


@pytest.mark.parametrize("name", ["gw/a~istio-autogenerated-k8s-gateway~b", "a~istio-autogenerated-k8s-gateway~b"])
def test_gateways_that_istio_makes(route: Make, parse: Callable[..., ParsedRules], name: str) -> None:
    parsed = parse(route(TO_B, head=f"hosts: [x.y]\ngateways: ['{name}']"))
    found = [item for item in analyze(parsed.resources) if item.path.startswith("spec.gateways")]
    assert brief(found) == [("warning", "IST0165", "spec.gateways[0]")]


POD = "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: gw, labels: {labels}}}\n"


@pytest.mark.parametrize(
    ("one", "two", "pods", "conflict"),
    [
        ("{app: gw}", "{app: gw}", "", True),
        ("{}", "{}", "", True),
        ("{app: gw}", "{app: other}", "", False),
        ("{app: gw}", "{app: gw, v: a}", "", False),
        ("{app: gw}", "{app: gw, v: a}", "{app: gw, v: a, x: z}", True),
        ("{app: gw, v: a}", "{app: gw}", "{app: gw, v: a}", True),
        ("{app: gw}", "{app: gw, v: a}", "{app: gw}", False),
        ("{}", "{app: gw}", "{app: gw}", True),
        ("{a: b}", "{c: d}", "{a: b, c: d}", False),
    ],
)
def test_gateways_that_conflict_by_workload(
    make: Make, analyzed: Analyzed, one: str, two: str, pods: str, conflict: bool
) -> None:
    first = gateway(make, "a.b").replace("selector: {app: gw}", f"selector: {one}")
    second = gateway(make, "a.b", "h", "other").replace("selector: {app: gw}", f"selector: {two}")
    workloads = [POD.format(name="p", labels=pods)] if pods else []
    found = [item for item in analyzed(first, second, *workloads) if item.code == "IST0145"]
    assert brief(found) == [("error", "IST0145", "spec.servers[0].hosts[0]")] * 2 * conflict
    if conflict:
        assert "by the Gateway other/h " in found[0].message


@pytest.mark.parametrize(
    ("hosts", "more", "port", "paths"),
    [
        ("c.d", "", 80, []),
        ("a.b", "", 81, []),
        ("a.b", ", bind: 1.2.3.4", 80, []),
        ("'*.b'", "", 80, []),
        ("c.d, a.b", "", 80, ["spec.servers[0].hosts[0]", "spec.servers[0].hosts[1]"]),
    ],
)
def test_gateways_that_conflict_by_host_and_port(
    make: Make, analyzed: Analyzed, hosts: str, more: str, port: int, paths: list[str]
) -> None:
    found = analyzed(gateway(make, "a.b"), gateway(make, hosts, "h", more=more, port=port))
    assert [item.path for item in found] == paths


def test_a_conflict_names_at_most_five_gateways(make: Make, analyzed: Analyzed) -> None:
    found = analyzed(*(gateway(make, "a.b", f"g{number}") for number in range(8)))
    assert len(found) == 8
    assert all(item.message.count("gw/g") == 5 for item in found)


@pytest.mark.parametrize(
    ("ports", "found"),
    [
        ("{name: http, port: 80, targetPort: 8080}", False),
        ("{name: http, port: 8080, targetPort: 80}", False),
        ("{name: http, port: 80, targetPort: web}", False),
        ("{name: http, port: 81}", True),
        ("{name: http, port: 80, protocol: UDP}", True),
        ("", True),
    ],
)
def test_ports_that_no_service_of_the_gateways_pods_has(
    make: Make, analyzed: Analyzed, ports: str, found: bool
) -> None:
    service = make("Service", f"selector: {{app: gw}}\nports: [{ports}]", "ingress", "gw")
    pod = POD.format(name="p", labels="{app: gw, x: z}")
    expected = [("warning", "IST0162", "spec.servers[0].port.number")] * found
    assert brief(analyzed(gateway(make, "a.b"), service, pod)) == expected
    assert analyzed(gateway(make, "a.b"), service) == [], "the pods are not known"


def test_services_of_other_pods_do_not_count(make: Make, analyzed: Analyzed) -> None:
    other = make("Service", "selector: {app: other}\nports: [{name: http, port: 80}]", "other", "gw")
    elsewhere = make("Service", "selector: {app: gw}\nports: [{name: http, port: 80}]", "else", "default")
    pod = POD.format(name="p", labels="{app: gw}")
    both = gateway(make, "a.b"), gateway(make, "c.d", "h")
    assert [item.code for item in analyzed(*both, other, elsewhere, pod)] == ["IST0162"] * 2


@pytest.mark.parametrize(
    ("selector", "port", "found"),
    [
        ("{istio: ingressgateway}", 80, False),
        ("{istio: ingressgateway}", 443, False),
        ("{istio: ingressgateway}", 15443, False),
        ("{istio: ingressgateway}", 8004, True),
        ("{}", 8004, True),
        ("{istio: egressgateway}", 8004, False),
        ("{istio: ingressgateway, app: x}", 8004, False),
    ],
)
def test_without_pods_the_default_ingress_gateway_is_assumed(
    make: Make, analyzed: Analyzed, selector: str, port: int, found: bool
) -> None:
    text = gateway(make, "'*'", port=port).replace("{app: gw}", selector)
    expected = [("warning", "IST0162", "spec.servers[0].port.number")] * found
    assert brief(analyzed(text)) == expected
    pod = POD.format(name="p", labels="{istio: ingressgateway}")
    service = make("Service", f"selector: {{istio: ingressgateway}}\nports: [{{name: a, port: {port}}}]", "s", "gw")
    assert analyzed(text, pod, service) == []
