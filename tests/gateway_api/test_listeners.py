"""Listeners of Gateways and ListenerSets: whom they admit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.gateway_api.listeners import Listeners
from mirror_addon.gateway_api.listeners import selector_holds
from mirror_addon.gateway_api.resources.gateway import LabelSelector

Make = Callable[..., str]
CLASS = "gatewayClassName: istio"


def gateway(
    make: Make, listeners: str = "[{name: web, port: 80, protocol: HTTP}]", more: str = "", **where: Any
) -> str:
    return make(
        "Gateway", f"{{{CLASS}, listeners: {listeners}{more}}}", **{"name": "edge", "namespace": "infra", **where}
    )


def listener(allowed: str = "", protocol: str = "HTTP") -> str:
    tls = ", tls: {mode: Passthrough}" if protocol == "TLS" else ""
    return f"[{{name: web, port: 80, protocol: {protocol}{tls}, allowedRoutes: {{{allowed}}}}}]"


@pytest.mark.parametrize(
    ("allowed", "protocol", "kind", "namespace", "refusal"),
    [
        ("", "HTTP", "HTTPRoute", "infra", None),
        ("", "HTTP", "GRPCRoute", "infra", None),
        ("", "HTTP", "HTTPRoute", "shop", "admits routes from its own namespace infra, not from shop"),
        ("namespaces: {from: Same}", "HTTP", "HTTPRoute", "shop", "not from shop"),
        ("namespaces: {from: All}", "HTTP", "HTTPRoute", "shop", None),
        ("namespaces: {from: Selector, selector: {matchLabels: {team: x}}}", "HTTP", "HTTPRoute", "shop", None),
        (
            "namespaces: {from: Selector, selector: {matchLabels: {team: z}}}",
            "HTTP",
            "HTTPRoute",
            "shop",
            "admits routes from the namespaces that its selector selects",
        ),
        (
            "namespaces: {from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: other}}}",
            "HTTP",
            "HTTPRoute",
            "other",
            None,
        ),
        ("namespaces: {from: Selector}", "HTTP", "HTTPRoute", "shop", None),
        ("kinds: [{kind: GRPCRoute}]", "HTTP", "GRPCRoute", "infra", None),
        ("kinds: [{kind: GRPCRoute}]", "HTTP", "HTTPRoute", "infra", "admits no HTTPRoute"),
        ("kinds: [{kind: HTTPRoute, group: other.io}]", "HTTP", "HTTPRoute", "infra", "admits no HTTPRoute"),
        ("", "TLS", "HTTPRoute", "infra", "the listener web (TLS) admits no HTTPRoute"),
        ("", "acme.io/custom", "HTTPRoute", "infra", "admits no HTTPRoute"),
    ],
)
def test_admission(
    allowed: str, protocol: str, kind: str, namespace: str, refusal: str | None, make: Make, resources: Any
) -> None:
    found = Listeners(
        resources(
            gateway(make, listener(allowed, protocol)), make("Namespace", "{}", name="shop", labels={"team": "x"})
        )
    )
    parent = found.parents["Gateway", "infra", "edge"]
    problem = parent.admits(parent.listeners[0], kind, namespace, found.labels(namespace))
    assert problem is None if refusal is None else problem is not None and refusal in problem.message


@pytest.mark.parametrize(
    ("selector", "holds"),
    [
        ({}, True),
        ({"matchLabels": {"a": "1"}}, True),
        ({"matchLabels": {"a": "2"}}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["0", "1"]}]}, True),
        ({"matchExpressions": [{"key": "b", "operator": "In", "values": ["1"]}]}, False),
        ({"matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["1"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, False),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "b", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "b", "operator": "DoesNotExist"}]}, True),
        ({"matchExpressions": [{"key": "b"}]}, False),
    ],
)
def test_selectors(selector: dict[str, Any], holds: bool) -> None:
    assert selector_holds(LabelSelector.model_validate(selector), {"a": "1"}) is holds


def listener_set(make: Make, listeners: str, name: str = "own", namespace: str = "infra", **metadata: Any) -> str:
    spec = f"{{parentRef: {{name: edge, namespace: infra}}, listeners: {listeners}}}"
    return make("ListenerSet", spec, name=name, namespace=namespace, **metadata)


@pytest.mark.parametrize(
    ("allowed", "namespace", "code"),
    [
        ("", "infra", "NotAllowedByListeners"),
        ("{from: None}", "infra", "NotAllowedByListeners"),
        ("{from: Same}", "infra", None),
        ("{from: Same}", "shop", "NotAllowedByListeners"),
        ("{from: All}", "shop", None),
        ("{from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: shop}}}", "shop", None),
    ],
)
def test_listener_sets_need_admission(
    allowed: str, namespace: str, code: str | None, make: Make, resources: Any
) -> None:
    more = f", allowedListeners: {{namespaces: {allowed}}}" if allowed else ""
    text = listener_set(make, "[{name: a, port: 81, protocol: HTTP}]", namespace=namespace)
    found = Listeners(resources(gateway(make, more=more), text)).parents["ListenerSet", namespace, "own"]
    assert found.gateway == "infra/edge"
    assert (found.problem.code if found.problem else None) == code


def test_a_listener_set_without_its_gateway_is_admitted(make: Make, resources: Any) -> None:
    text = listener_set(make, "[{name: a, port: 81, protocol: HTTP}]")
    assert Listeners(resources(text)).parents["ListenerSet", "infra", "own"].problem is None


def test_the_parent_of_a_listener_set_is_a_gateway(make: Make, parse: Any) -> None:
    listeners = "listeners: [{name: a, port: 81, protocol: HTTP}]"
    texts = [f"{{parentRef: {{kind: Service, group: '', name: a}}, {listeners}}}", f"{{{listeners}}}"]
    for text in texts:
        found = Listeners(parse(make("ListenerSet", text)).resources).parents["ListenerSet", "demo", "it"]
        assert found.problem is not None and found.problem.message == "the parentRef of a ListenerSet is a Gateway"


def test_conflicts(make: Make, resources: Any) -> None:
    """The Gateway comes first, then the oldest set; a set that has lost a listener keeps the others."""
    listeners = (
        "[{name: taken, port: 80, protocol: HTTP}, {name: host, port: 80, protocol: HTTP, hostname: a.b}, "
        "{name: other, port: 80, protocol: HTTPS, hostname: c.d, tls: {certificateRefs: [{name: c}]}}]"
    )
    again = "[{name: mine, port: 80, protocol: HTTP, hostname: a.b}]"
    found = Listeners(
        resources(
            listener_set(make, again, "younger", creationTimestamp="2026-01-02T00:00:00Z"),
            listener_set(make, listeners, "older", creationTimestamp="2026-01-01T00:00:00Z"),
            gateway(make, more=", allowedListeners: {namespaces: {from: All}}"),
        )
    ).parents
    older, younger = found["ListenerSet", "infra", "older"], found["ListenerSet", "infra", "younger"]
    assert {name: problem.code for name, problem in older.listener_problems.items()} == {
        "taken": "Conflicted",
        "other": "Conflicted",
    }
    assert "the ListenerSet infra/older" in younger.listener_problems["mine"].message


def test_others_of_the_same_port_and_protocol(make: Make, resources: Any) -> None:
    listeners = (
        "[{name: a, port: 80, protocol: HTTP}, {name: b, port: 80, protocol: HTTP, hostname: '*.b'}, "
        "{name: c, port: 81, protocol: HTTP, hostname: c}]"
    )
    parent = Listeners(resources(gateway(make, listeners))).parents["Gateway", "infra", "edge"]
    assert [parent.others(each) for each in parent.listeners] == [{"*.b"}, {"*"}, frozenset()]
