"""Findings between objects: codes, severities and places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., str]
Briefs = Callable[..., list[tuple[str, str, str]]]
RULE = "spec.rules[0]"


@pytest.fixture
def service(make: Make) -> str:
    return make("Service", "{ports: [{name: http, port: 80}]}", name="a")


def route(
    make: Make, backends: str = "[{name: a, port: 80}]", filters: str = "[]", parents: str = "[{name: g}]", **where: Any
) -> str:
    rules = f"[{{backendRefs: {backends}, filters: {filters}}}]"
    kind, hostnames = where.pop("kind", "HTTPRoute"), where.pop("hostnames", "[]")
    return make(kind, f"{{parentRefs: {parents}, hostnames: {hostnames}, rules: {rules}}}", **where)


def mirror(fields: str) -> str:
    return f"[{{type: RequestMirror, requestMirror: {{backendRef: {{{fields}}}}}}}]"


def test_nothing_without_routes(make: Make, briefs: Briefs, service: str) -> None:
    assert briefs(service, infos=True) == []


def test_a_parent_that_is_not_there(make: Make, briefs: Briefs, service: str) -> None:
    assert briefs(service, route(make), infos=True, overrides=("a.demo.svc.cluster.local",)) == [
        ("info", "NoMatchingParent", "spec.parentRefs[0]")
    ]


@pytest.mark.parametrize(
    ("backends", "filters", "found"),
    [
        ("[{name: a, port: 80}]", "[]", [("warning", "BackendNotFound", f"{RULE}.backendRefs[0].name")]),
        ("[{name: a, port: 81}]", "[]", [("error", "BackendNotFound", f"{RULE}.backendRefs[0].port")]),
        ("[{name: b, port: 80}]", "[]", [("error", "BackendNotFound", f"{RULE}.backendRefs[0].name")]),
        ("[{name: b, namespace: other, port: 80}]", "[]", [("error", "RefNotPermitted", f"{RULE}.backendRefs[0]")]),
        ("[{name: b, kind: X, group: y.io}]", "[]", [("error", "InvalidKind", f"{RULE}.backendRefs[0]")]),
        ("[{name: b.c, port: 80}]", "[]", [("error", "InvalidDestination", f"{RULE}.backendRefs[0]")]),
        ("[{name: b}]", "[]", [("error", "IST0106", f"{RULE}.backendRefs[0]")]),
        ("[{port: 80}]", "[]", [("error", "IST0106", f"{RULE}.backendRefs[0].name")]),
        (
            "[{name: a, port: 80}]",
            mirror("name: b, port: 80"),
            [
                ("warning", "BackendNotFound", f"{RULE}.backendRefs[0].name"),
                ("error", "BackendNotFound", f"{RULE}.filters[0].requestMirror.backendRef.name"),
            ],
        ),
        (
            "[{name: a, port: 80}]",
            mirror("name: b, port: 80, namespace: other"),
            [
                ("warning", "BackendNotFound", f"{RULE}.backendRefs[0].name"),
                ("error", "RefNotPermitted", f"{RULE}.filters[0].requestMirror.backendRef"),
            ],
        ),
        (
            "[{name: a, port: 80}]",
            "[{type: RequestMirror, requestMirror: {}}, {type: CORS, cors: {}}]",
            [
                ("warning", "BackendNotFound", f"{RULE}.backendRefs[0].name"),
                ("error", "IST0106", f"{RULE}.filters[0].requestMirror.backendRef"),
            ],
        ),
    ],
)
def test_references(backends: str, filters: str, found: list[Any], make: Make, briefs: Briefs, service: str) -> None:
    assert sorted(briefs(service, route(make, backends, filters))) == sorted(found)


@pytest.mark.parametrize(
    ("parents", "found"),
    [
        ("[{group: '', kind: Service, name: a}]", []),
        ("[{name: g}]", [("error", "RefNotPermitted", f"{RULE}.backendRefs[0]")]),
        ("[{group: '', kind: Service, name: a}, {name: g}]", [("error", "RefNotPermitted", f"{RULE}.backendRefs[0]")]),
    ],
)
def test_grants_are_asked_for_where_a_gateway_is_the_parent(
    parents: str, found: list[Any], make: Make, briefs: Briefs, service: str
) -> None:
    text = route(make, "[{name: b, namespace: other, port: 80}]", parents=parents)
    assert briefs(service, text, overrides=("b.other.svc.cluster.local",)) == found


def test_refused_parents(make: Make, briefs: Briefs) -> None:
    gateway = make(
        "Gateway", "{gatewayClassName: x, listeners: [{name: a, port: 80, protocol: HTTP, hostname: a.b}]}", name="g"
    )
    text = route(make, parents="[{name: g}]", hostnames="[c.d]")
    assert ("error", "NoMatchingListenerHostname", "spec.parentRefs[0]") in briefs(gateway, text)


def test_host_names_that_no_listener_has(make: Make, briefs: Briefs) -> None:
    gateway = make(
        "Gateway", "{gatewayClassName: x, listeners: [{name: a, port: 80, protocol: HTTP, hostname: a.b}]}", name="g"
    )
    text = route(make, parents="[{name: g}]", hostnames="[a.b, c.d]")
    found = briefs(gateway, text, overrides=("a.demo.svc.cluster.local",))
    assert found == [("warning", "NoMatchingListenerHostname", "spec.hostnames[1]")]
    assert briefs(gateway, route(make, hostnames="[a.b, c.d]", parents="[{name: g}, {name: far}]"),
                  overrides=("a.demo.svc.cluster.local",)) == []  # fmt: skip


def test_a_virtual_service_for_the_same_host(make: Make, briefs: Briefs, service: str) -> None:
    virtual_service = make("VirtualService", "{hosts: [a, b], http: [{route: [{destination: {host: a}}]}]}")
    bound = make(
        "VirtualService",
        "{hosts: [a.demo.svc.cluster.local], gateways: [x/y], http: [{route: [{destination: {host: a}}]}]}",
        name="bound",
    )
    parents = "[{group: '', kind: Service, name: a}]"
    overrides = ("a.demo.svc.cluster.local",)
    conflict = ("warning", "Conflicted", "spec.parentRefs")
    assert conflict in briefs(service, virtual_service, route(make, parents=parents), overrides=overrides)
    assert conflict not in briefs(service, bound, route(make, parents=parents), overrides=overrides)
    assert conflict not in briefs(service, virtual_service, route(make), overrides=overrides)


def test_listener_sets(make: Make, briefs: Briefs) -> None:
    listeners = "listeners: [{name: a, port: 80, protocol: HTTP}]"
    gateway = make("Gateway", f"{{gatewayClassName: x, {listeners}}}", name="g")
    open_gateway = make(
        "Gateway", f"{{gatewayClassName: x, allowedListeners: {{namespaces: {{from: All}}}}, {listeners}}}", name="g"
    )
    own = make("ListenerSet", f"{{parentRef: {{name: g}}, {listeners}}}")
    assert briefs(gateway, own) == [("error", "NotAllowedByListeners", "spec.parentRef")]
    assert briefs(open_gateway, own) == [("error", "Conflicted", "spec.listeners[0]")]


def test_unreached_matches(make: Make, briefs: Briefs) -> None:
    overrides = ("a.demo.svc.cluster.local",)
    found = briefs(route(make, name="x"), route(make, name="y"), overrides=overrides)
    assert found == [("warning", "UnsupportedValue", "spec.rules[0].matches[0]")]
