from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import AfterValidator

from mirror_addon.istio.parsing import ParsedRules
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.istio.resources.kinds import ISTIO_KINDS
from mirror_addon.istio.resources.kinds import UNREAD_KINDS
from mirror_addon.istio.resources.messages import Message
from mirror_addon.istio.resources.messages import UInt32

Parse = Callable[..., ParsedRules]
Make = Callable[..., str]
RULES = Path(__file__).parents[2] / "rules"
ROUTE = "hosts: [a.b]\nhttp:\n- route:\n  - destination:\n      host: a.b\n"


def lines(parsed: ParsedRules) -> list[str]:
    return [str(item) for item in parsed.diagnostics]


def test_the_worked_example_has_warnings_only() -> None:
    sources = [Source(file.name, file.read_bytes()) for file in sorted(RULES.glob("*.yaml"))]
    parsed = parse_sources(sources, default_namespace="default")
    assert [(item.kind, item.namespace, item.name) for item in parsed.resources] == [
        ("DestinationRule", "default", "serviceB"),
        ("ServiceEntry", "default", "service-b"),
        ("VirtualService", "default", "serviceB"),
    ]
    assert [(item.file, item.line, item.column, item.severity, item.path) for item in sorted(parsed.diagnostics)] == [
        ("destination-rule.yaml", 4, 9, "warning", "metadata.name"),
        ("virtual-service.yaml", 4, 9, "warning", "metadata.name"),
        ("virtual-service.yaml", 9, 5, "warning", "spec.gateways[0]"),
        ("virtual-service.yaml", 15, 12, "warning", "spec.http[0].rewrite.uri"),
        ("virtual-service.yaml", 23, 5, "warning", "spec.http[0].mirror_percent"),
    ]
    route = parsed.resources[2].spec.http[0]
    assert (route.mirror.host, route.mirror.subset, route.mirror_percent) == ("serviceB", "v2", 100)


def test_other_kinds_are_counted() -> None:
    text = "{apiVersion: batch/v1, kind: Job}\n---\n{apiVersion: v1, kind: ConfigMap, any: thing}\n---\n" * 2
    parsed = parse_sources([Source("f", text.encode())])
    assert parsed.skipped == {"Job": 2, "ConfigMap": 2}
    assert parsed.diagnostics == ()


def test_lists_are_unfolded(parse: Parse) -> None:
    parsed = parse(
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n"
        "- apiVersion: networking.istio.io/v1\n  kind: WorkloadEntry\n"
        "  metadata: {name: w}\n  spec: {addres: 1.2.3.4}\n"
    )
    assert parsed.skipped == {"Secret": 1}
    assert "rules.yaml:9:10: error IST0106 spec.addres: unknown field; did you mean 'address'?" in lines(parsed)[0]


@pytest.mark.parametrize("version", ["v1alpha3", "v1beta1", "v1"])
def test_all_versions(version: str) -> None:
    text = (
        f"apiVersion: networking.istio.io/{version}\nkind: WorkloadEntry\nmetadata: {{name: w}}\nspec: {{address: a}}"
    )
    parsed = parse_sources([Source("f", text.encode())], default_namespace="ns")
    assert (parsed.resources[0].namespace, parsed.resources[0].api_version) == ("ns", f"networking.istio.io/{version}")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("- a\n", "f:1:1: error IST0106 must be a Kubernetes object"),
        ("just text\n", "f:1:1: error IST0106 must be a Kubernetes object"),
        ("a: 1\n", "f:1:1: warning IST0133 is not a Kubernetes object"),
        ("kind: VirtualService\n", "f:1:1: error IST0106 apiVersion: apiVersion is missing"),
        ("apiVersion: v1\n", "f:1:1: error IST0106 kind: kind is missing"),
        ("apiVersion: 1\nkind: X\n", "f:1:13: error IST0106 apiVersion: apiVersion must be text"),
        (
            "apiVersion: networking.istio.io/v2\nkind: VirtualService\n",
            "f:1:13: error IST0106 apiVersion: unknown version",
        ),
        ("apiVersion: networking.istio.io/v1\nkind: VirtualServices\n", "f:2:7: error IST0106 kind: 'VirtualServices'"),
        (
            "apiVersion: v1\nkind: VirtualService\n",
            "f:1:13: error IST0106 apiVersion: a VirtualService is of the group",
        ),
        ("apiVersion: v1\nkind: List\nitems: 5\n", "f:3:8: error IST0106 items: must be a list"),
    ],
)
def test_what_is_no_object(text: str, found: str) -> None:
    parsed = parse_sources([Source("f", text.encode())])
    assert parsed.resources == ()
    assert lines(parsed)[0].startswith(found)


def test_unknown_fields_are_named_with_position_and_the_nearest(parse: Parse, make: Make) -> None:
    parsed = parse(make("VirtualService", ROUTE + "  miror: {host: a.b}\n  zzzzz: 1\n"))
    found = lines(parsed)
    assert found[0].startswith(
        "rules.yaml:12:5: error IST0106 spec.http[0].miror: unknown field; did you mean 'mirror'?"
    )
    assert found[1].startswith(
        "rules.yaml:13:5: error IST0106 spec.http[0].zzzzz: unknown field; known are: corsPolicy,"
    )
    assert len(parsed.resources) == 1


def test_unknown_fields_of_the_object_and_its_metadata(parse: Parse) -> None:
    parsed = parse(
        "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: w, lables: {}}\n"
        "specs: {}\nspec: {address: a}\nstatus: {}\n"
    )
    assert [(item.line, item.column, item.path) for item in parsed.diagnostics] == [
        (4, 1, "specs"),
        (3, 21, "metadata.lables"),
    ]


def test_both_spellings(parse: Parse, make: Make) -> None:
    parsed = parse(make("VirtualService", ROUTE + "  mirror: {host: a.b}\n  mirror_percentage: {value: 5}\n"))
    assert lines(parsed) == [
        "rules.yaml:13:5: warning IST0133 spec.http[0].mirror_percentage: a real API server drops this spelling; "
        "write 'mirrorPercentage' to have it there too"
    ]
    assert parsed.resources[0].spec.http[0].mirror_percentage.value == 5


def test_camel_case_wins(parse: Parse, make: Make) -> None:
    parsed = parse(make("VirtualService", ROUTE + "  mirror_percent: 5\n  mirrorPercent: 7\n"))
    assert "'mirrorPercent' is set too and takes precedence" in lines(parsed)[0]
    assert parsed.resources[0].spec.http[0].mirror_percent == 7


def test_snake_case_of_labels_is_no_field(parse: Parse, make: Make) -> None:
    parsed = parse(make("WorkloadEntry", "address: 1.2.3.4\nlabels: {service_account: a, redirect_code: b}"))
    assert parsed.diagnostics == ()


@pytest.mark.parametrize(
    ("field", "line", "column", "message"),
    [
        ("timeout: 5", 12, 14, "5 is not a duration; write it as in '30s'"),
        ("name: 5", 12, 11, "must be text; it is the number 5: put it in quotes"),
        ("name: on", 12, 11, "must be text; it is true: put it in quotes"),
        ("mirrorPercent: '5'", 12, 20, "must be a whole number; it is the text '5': remove the quotes"),
        ("mirrorPercent: 5.5", 12, 20, "must be a whole number; it is the number 5.5"),
        ("mirrorPercent: -1", 12, 20, "must be a whole number from 0 to 4294967295; it is -1"),
        ("mirror: a.b", 12, 13, "must be a mapping with the fields host, subset, port; it is the text 'a.b'"),
        ("match: {uri: {prefix: /}}", 12, 12, "must be a list; it is a mapping: write '- ' before each item"),
        (
            "match:\n    - uri: /x",
            13,
            14,
            "must be a mapping with the fields exact, prefix, regex; it is the text '/x'",
        ),
        ("headers: {request: {set: {x: 1}}}", 12, 34, "must be text; it is the number 1: put it in quotes"),
        ("headers: {request: {set: [x]}}", 12, 30, "must be a mapping of names to values; it is a list"),
        ("match: [{ignoreUriCase: 'true'}]", 12, 29, "must be true or false; it is the text 'true'"),
        ("mirrorPercentage: {value: '1'}", 12, 31, "must be a number; it is the text '1': remove the quotes"),
        (
            "corsPolicy: {unmatchedPreflights: ignore}",
            12,
            39,
            "must be one of the known names; it is the text 'ignore'",
        ),
    ],
)
def test_wrong_types(parse: Parse, make: Make, field: str, line: int, column: int, message: str) -> None:
    parsed = parse(make("VirtualService", f"{ROUTE}  {field}\n"))
    first = parsed.diagnostics[0]
    assert (first.line, first.column, first.severity, first.code) == (line, column, "error", "IST0106")
    assert message in first.message
    assert parsed.resources == ()


def test_null_is_absent(parse: Parse, make: Make) -> None:
    parsed = parse(make("VirtualService", ROUTE + "  timeout: null\n  name: ~\n  match:\n  headers: {request: null}\n"))
    assert parsed.diagnostics == ()
    assert parsed.resources[0].spec.http[0].timeout is None


def test_all_is_collected(parse: Parse, make: Make) -> None:
    text = "hosts: [5, a_b]\nhttp:\n- {timeout: 0s, nmae: x, route: [{destination: {host: 1.2.3.4}}]}\n"
    assert [item.path for item in parse(make("VirtualService", text)).diagnostics if item.severity == "error"] == [
        "spec.hosts[0]",
        "spec.http[0].nmae",
        "spec.hosts[0]",
        "spec.http[0].route[0].destination.host",
        "spec.http[0].timeout",
    ]


def test_services_are_read_for_their_ports(parse: Parse, make: Make) -> None:
    parsed = parse(
        make("Service", "ports: [{port: 80, name: http, targetPort: web, nodePort: 3}]\nselector: {app: a}\nany: thing")
    )
    assert parsed.diagnostics == ()
    assert parsed.resources[0].spec.ports[0].target_port == "web"


def test_the_collector_runs_again_afterwards(parse: Parse) -> None:
    assert gc.isenabled()
    parse("a: 1")
    assert gc.isenabled()


def test_a_collector_that_is_off_stays_off(parse: Parse) -> None:
    gc.disable()
    try:
        parse("a: 1")
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize(("group", "kind"), UNREAD_KINDS)
def test_kinds_that_change_traffic_and_are_not_read_are_named(parse: Parse, group: str, kind: str) -> None:
    parsed = parse(f"apiVersion: {group}{'/' * bool(group)}v1\nkind: {kind}\nmetadata: {{name: a}}\n")
    assert (parsed.skipped, parsed.resources) == ({kind: 1}, ())
    (found,) = parsed.diagnostics
    assert (found.severity, found.path, found.line) == ("info", "kind", 2)
    assert found.message.startswith(f"not emulated: {kind}: ")


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("{template: {metadata: {labels: {version: 1}}}}", "spec.template.metadata.labels.version: must be text"),
        ("{template: 5}", "spec.template: must be a mapping"),
        ("[]", "spec: must be a mapping"),
    ],
)
def test_a_workload_that_an_api_server_refuses_is_left_out_with_a_warning(parse: Parse, spec: str, why: str) -> None:
    parsed = parse(f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a}}\nspec: {spec}\n")
    assert (parsed.skipped, parsed.resources) == ({"Deployment": 1}, ())
    (found,) = parsed.diagnostics
    assert found.severity == "warning"
    assert found.message.startswith(f"this Deployment is left out, an API server refuses it: {why}")


def test_a_workload_without_metadata_is_left_out_with_a_warning(parse: Parse) -> None:
    (found,) = parse("apiVersion: v1\nkind: Pod\n").diagnostics
    assert (found.severity, found.code) == ("warning", "IST0133")


EXPORTED = """
apiVersion: v1
kind: List
metadata: {resourceVersion: ""}
items:
- apiVersion: v1
  kind: Pod
  metadata:
    name: b-v1-5f6-x2k
    namespace: shop
    labels: {app: b, version: v1, pod-template-hash: 5f6}
    generateName: b-v1-5f6-
    managedFields: [{manager: kubelet, operation: Update, fieldsV1: {"f:status": {"f:redirect_code": {}}}}]
    ownerReferences: [{kind: ReplicaSet, name: b-v1-5f6, uid: x}]
  spec: {hostname: null, containers: [{name: b, image: b, ports: [{containerPort: 8080}]}]}
  status: {phase: Running, podIP: 10.0.0.1}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: b-v1, namespace: shop}
  spec: {replicas: 1, template: {metadata: {labels: {app: b}}}}
- apiVersion: v1
  kind: Namespace
  metadata: {name: shop, labels: {istio-injection: enabled}}
  spec: {finalizers: [kubernetes]}
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  metadata: {name: b-abc, namespace: shop, labels: {kubernetes.io/service-name: b}}
  addressType: IPv4
  endpoints:
  - addresses: [10.0.0.1]
    conditions: {ready: true, serving: true, terminating: false}
    nodeName: n
    targetRef: {kind: Pod, name: b-v1-5f6-x2k, namespace: shop, uid: x}
    zone: null
  - {addresses: [10.0.0.2], conditions: {ready: false}}
  ports: [{name: http, port: 8080, protocol: TCP}, {name: null, port: null}]
- apiVersion: networking.istio.io/v1
  kind: ServiceEntry
  metadata: {name: e, namespace: shop}
  spec: {hosts: [a.b], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
  status: {addresses: [{host: a.b, value: 240.240.0.1}]}
- apiVersion: autoscaling/v2
  kind: HorizontalPodAutoscaler
  metadata: {name: b}
"""


def test_what_kubectl_prints_loads_as_it_is(parse: Parse) -> None:
    parsed = parse(EXPORTED)
    assert parsed.diagnostics == ()
    assert parsed.skipped == {"HorizontalPodAutoscaler": 1}
    pod, deployment, namespace, endpoints, entry = parsed.resources
    assert (pod.kind, pod.labels["version"], pod.status) == ("Pod", "v1", {})
    assert deployment.spec.template.metadata.labels == {"app": "b"}
    assert (namespace.name, namespace.labels) == ("shop", {"istio-injection": "enabled"})
    assert [endpoint.addresses for endpoint in endpoints.spec.endpoints] == [("10.0.0.1",), ("10.0.0.2",)]
    assert [(port.name, port.port) for port in endpoints.spec.ports] == [("http", 8080), ("", None)]
    assert entry.status == {"addresses": [{"host": "a.b", "value": "240.240.0.1"}]}


def test_an_endpoint_slice_has_its_fields_beside_its_metadata(parse: Parse) -> None:
    text = "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a}\n"
    found = [(item.severity, item.path, item.line) for item in parse(text + "spec: {}\nport: []\n").diagnostics]
    assert found == [("error", "spec", 4), ("error", "port", 5)]
    found = [(item.severity, item.path, item.line) for item in parse(text + "endpoints: [{addresses: 5}]").diagnostics]
    assert found == [("error", "endpoints[0].addresses", 4)]


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_a_gateway_of_the_gateway_api(parse: Parse, version: str) -> None:
    listeners = "[{name: a, port: 80, protocol: HTTP, hostname: '*.x'}, {name: b}]"
    text = f"apiVersion: gateway.networking.k8s.io/{version}\nkind: Gateway\nmetadata: {{name: a}}\n"
    parsed = parse(text + f"spec: {{listeners: {listeners}}}\n")
    assert [listener.hostname for listener in parsed.resources[0].spec.listeners] == ["*.x", ""]


def test_a_list_without_items(parse: Parse) -> None:
    parsed = parse("apiVersion: networking.istio.io/v1\nkind: VirtualServiceList\n")
    assert (parsed.resources, parsed.diagnostics) == ((), ())


def test_what_only_pydantic_refuses_is_an_error_too(parse: Parse, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """`fields` is to know every reason; where it does not, the object is refused, and nothing is raised."""

    class Refusing(Message):
        number: Annotated[UInt32, AfterValidator(refuse)] = 0

    monkeypatch.setitem(ISTIO_KINDS, "WorkloadEntry", Refusing)
    parsed = parse(make("WorkloadEntry", "number: 5"))
    assert parsed.resources == ()
    assert [str(item) for item in parsed.diagnostics] == [
        "rules.yaml:7:11: error IST0106 spec.number: Value error, five is refused"
    ]


def refuse(_: int) -> int:
    raise ValueError("five is refused")


@pytest.mark.parametrize(
    ("text", "broken"),
    [(b"", False), (b"a: 1", False), (b"kind: 7\napiVersion: v1", False), (b"a: [", True), (b"a: 1\n---\n\x00", True)],
)
def test_text_that_is_not_yaml(text: bytes, broken: bool) -> None:
    assert parse_sources([Source("a.yaml", text)]).broken is broken
