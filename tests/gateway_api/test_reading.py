"""Which objects are read, in which form, and what is said of those that are not."""

# ruff: noqa: E501 - a row of a table is a line
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from mirror_addon.istio.parsing import ParsedRules
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources

Parse = Callable[..., ParsedRules]
ROUTE = "{parentRefs: [{name: g}], rules: [{backendRefs: [{name: a, port: 80}]}]}"


def headed(api_version: str, kind: str, spec: str = "{}") -> str:
    return f"{{apiVersion: {api_version}, kind: {kind}, metadata: {{name: a}}, spec: {spec}}}"


@pytest.mark.parametrize(
    ("api_version", "kind", "said"),
    [
        ("gateway.networking.k8s.io/v1", "GatewayClass", None),
        (
            "gateway.networking.k8s.io/v1",
            "TCPRoute",
            "warning not emulated: TCPRoute: only HTTP and gRPC are routed here, its connections pass through; leave it out of the rules",
        ),
        (
            "gateway.networking.k8s.io/v1alpha2",
            "TLSRoute",
            "warning not emulated: TLSRoute: only HTTP and gRPC are routed here, its connections pass through; leave it out of the rules",
        ),
        (
            "gateway.networking.k8s.io/v1",
            "UDPRoute",
            "warning not emulated: UDPRoute: only HTTP and gRPC are routed here, its connections pass through; leave it out of the rules",
        ),
        (
            "gateway.networking.k8s.io/v1",
            "HTTPRoutes",
            "error 'HTTPRoutes' is not a kind of gateway.networking.k8s.io; did you mean 'HTTPRoute'?",
        ),
        (
            "gateway.networking.k8s.io/v1alpha2",
            "HTTPRoute",
            "error unknown version 'v1alpha2' of HTTPRoute; write 'gateway.networking.k8s.io/v1'",
        ),
        (
            "gateway.networking.k8s.io/v1beta1",
            "GRPCRoute",
            "error unknown version 'v1beta1' of GRPCRoute; write 'gateway.networking.k8s.io/v1'",
        ),
        (
            "gateway.networking.x-k8s.io/v1alpha1",
            "XMesh",
            "warning not emulated: XMesh: this proxy is the mesh; leave it out of the rules",
        ),
        (
            "gateway.networking.x-k8s.io/v1alpha1",
            "XBack",
            "error 'XBack' is not a kind of gateway.networking.x-k8s.io; did you mean 'XBackend'?",
        ),
        (
            "gateway.envoyproxy.io/v1alpha1",
            "BackendTrafficPolicy",
            "warning not emulated: BackendTrafficPolicy of Envoy Gateway: it has no effect here; where its routes need it, say the same in the filters of the route, or leave it out of the rules",
        ),
        (
            "gateway.kgateway.dev/v1alpha1",
            "TrafficPolicy",
            "warning not emulated: TrafficPolicy of kgateway: it has no effect here; where its routes need it, say the same in the filters of the route, or leave it out of the rules",
        ),
        (
            "v1",
            "HTTPRoute",
            "error a HTTPRoute is of the group gateway.networking.k8s.io; write 'gateway.networking.k8s.io/v1'",
        ),
    ],
)
def test_what_is_not_read_is_named(api_version: str, kind: str, said: str | None, parse: Parse) -> None:
    parsed = parse(headed(api_version, kind))
    assert parsed.resources == ()
    assert [f"{item.severity} {item.message}" for item in parsed.diagnostics] == ([said] if said else [])


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_both_versions_are_the_same(version: str, parse: Parse) -> None:
    (route,) = parse(headed(f"gateway.networking.k8s.io/{version}", "HTTPRoute", ROUTE)).resources
    assert route.spec.rules[0].matches[0].path.value == "/"


def test_defaults(resources: Callable[..., Any], make: Callable[..., str]) -> None:
    redirect = "{type: RequestRedirect, requestRedirect: {}}"
    cors = "{type: CORS, cors: {}}"
    (route,) = resources(
        make("HTTPRoute", f"{{parentRefs: [{{name: g}}], rules: [{{filters: [{redirect}, {cors}]}}]}}")
    )
    (rule,) = route.spec.rules
    assert rule.filters[0].request_redirect.status_code == 302
    assert rule.filters[1].cors.max_age == 5
    (match,) = rule.matches
    assert (match.path.type, match.path.value) == ("PathPrefix", "/")
    (parent,) = route.spec.parent_refs
    assert (parent.group, parent.kind) == ("gateway.networking.k8s.io", "Gateway")
    (route,) = resources(make("HTTPRoute", "{parentRefs: [{name: g}]}"))
    assert len(route.spec.rules) == 1 and route.spec.rules[0].backend_refs == ()
    (route,) = resources(make("HTTPRoute", ROUTE))
    assert route.spec.rules[0].backend_refs[0].weight == 1


def test_output_of_kubectl(parse: Parse, make: Callable[..., str]) -> None:
    """Lists of both kinds, with status, managedFields and the last applied configuration."""
    spec = {"parentRefs": [{"name": "g"}], "rules": [{"backendRefs": []}]}
    route = {**yaml.safe_load(make("HTTPRoute", "{}")), "spec": spec}
    route["metadata"] |= {
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
        "creationTimestamp": "2026-01-02T03:04:05Z",
        "generation": 3,
        "managedFields": [{"manager": "kubectl"}],
        "resourceVersion": "17",
        "uid": "a-b",
    }
    route["status"] = {"parents": [{"controllerName": "istio.io/gateway-controller", "conditions": []}]}
    for head in (
        {"apiVersion": "v1", "kind": "List"},
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRouteList"},
    ):
        parsed = parse(json.dumps({**head, "items": [route, route], "metadata": {"resourceVersion": ""}}))
        assert [item.kind for item in parsed.resources] == ["HTTPRoute", "HTTPRoute"]
        assert [item.severity for item in parsed.diagnostics if item.severity == "error"] == []


def test_without_the_extension_nothing_is_read() -> None:
    text = headed("gateway.networking.k8s.io/v1", "HTTPRoute")
    parsed = parse_sources([Source("a", text.encode())])
    assert (parsed.resources, parsed.skipped) == ((), {"HTTPRoute": 1})


def test_positions(parse: Parse) -> None:
    text = """apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: a
spec:
  parentRefs:
  - name: g
  rules:
  - backendRefs:
    - name: a
      port: 80
      weight: -1
"""
    (found,) = parse(text).diagnostics
    assert (found.line, found.column, found.code, found.path) == (
        12,
        15,
        "IST0106",
        "spec.rules[0].backendRefs[0].weight",
    )


@pytest.mark.parametrize(
    ("annotations", "mirrors", "said"),
    [
        ({"mirror-addon/max-rps": "5"}, True, []),
        ({"mirror-addon/max-rps": "5"}, False, ["has no effect: this HTTPRoute mirrors nothing"]),
        ({"mirror-addon/max-rps": "many"}, True, ["'many' is not a rate; write one above 0, such as 10"]),
        ({"mirror-addon/max-rp": "5"}, True, ["unknown annotation; did you mean 'mirror-addon/max-rps'?"]),
    ],
)
def test_annotations(
    annotations: dict[str, str], mirrors: bool, said: list[str], parse: Parse, make: Callable[..., str]
) -> None:
    mirror = [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "b", "port": 80}}}]
    rule = {"backendRefs": [{"name": "a", "port": 80}], "filters": mirror if mirrors else []}
    text = make("HTTPRoute", {"parentRefs": [{"name": "g"}], "rules": [rule]}, annotations=annotations)
    assert [item.message.partition("; write")[0] for item in parse(text).diagnostics] == [
        item.partition("; write")[0] for item in said
    ]
    grpc = make("GRPCRoute", {"parentRefs": [{"name": "g"}], "rules": [rule]}, annotations=annotations)
    assert len(parse(grpc).diagnostics) == len(said)


def test_annotations_of_other_kinds(parse: Parse, make: Callable[..., str]) -> None:
    text = make("ReferenceGrant", "{from: [{group: a, kind: B, namespace: c}], to: [{group: '', kind: D}]}",
                annotations={"mirror-addon/max-rps": "5"})  # fmt: skip
    (found,) = parse(text).diagnostics
    assert found.message == "has no effect on a ReferenceGrant; put it on the VirtualService or route with the mirror"
