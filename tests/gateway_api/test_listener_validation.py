"""Gateways and ListenerSets that an API server refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Errors = Callable[[str, Any], list[str]]
TLS = "tls: {certificateRefs: [{name: c}]}"


def gateway(listeners: str, more: str = "") -> str:
    return f"{{gatewayClassName: istio, listeners: {listeners}{more}}}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (gateway("[{name: a, port: 80, protocol: HTTP}]"), []),
        (gateway(f"[{{name: a, port: 443, protocol: HTTPS, {TLS}}}]"), []),
        ("{}", ["spec.gatewayClassName: gatewayClassName is missing; it is required"]),
        (gateway("[]"), ["spec.listeners: has at least 1 items; it has 0"]),
        (
            gateway("[{}]"),
            [
                "spec.listeners[0].name: name is missing; it is required",
                "spec.listeners[0].port: port is missing; it is required",
                "spec.listeners[0].protocol: protocol is missing; it is required",
            ],
        ),
        (
            gateway("[{name: a, port: 80, protocol: HTTP, tls: {options: {a: b}}}]"),
            ["spec.listeners[0].tls: a listener for HTTP has no tls; write protocol: HTTPS, or remove it"],
        ),
        (
            gateway("[{name: a, port: 80, protocol: HTTPS, tls: {mode: Passthrough}}]"),
            ["spec.listeners[0].tls.mode: must be Terminate for protocol HTTPS"],
        ),
        (
            gateway("[{name: a, port: 80, protocol: HTTPS, tls: {}}]"),
            ["spec.listeners[0].tls: certificateRefs (or options) are missing; mode Terminate needs them"],
        ),
        (
            gateway("[{name: a, port: 80, protocol: TLS}]"),
            ["spec.listeners[0]: tls is missing; a listener for TLS needs tls.mode"],
        ),
        (
            gateway("[{name: a, port: 80, protocol: TCP, hostname: a.b}]"),
            ["spec.listeners[0].hostname: a listener for TCP has no hostname; remove it"],
        ),
        (
            gateway("[{name: a, port: 80, protocol: HTTP}, {name: a, port: 81, protocol: HTTP}]"),
            ["spec.listeners[1]: the name 'a' is repeated; an API server refuses that, remove one"],
        ),
        (
            gateway("[{name: a, port: 80, protocol: HTTP}, {name: b, port: 80, protocol: HTTP}]"),
            ["spec.listeners[1]: the listener 'a' has the same port, protocol and hostname; merge them"],
        ),
        (gateway("[{name: a, port: 80, protocol: HTTP}, {name: b, port: 80, protocol: HTTP, hostname: b}]"), []),
        (
            gateway("[{name: a, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector}}}]"),
            [
                "spec.listeners[0].allowedRoutes.namespaces.selector: from: Selector without a selector admits all "
                "namespaces in Istio; add one"
            ],
        ),
        (
            gateway(
                "[{name: a, port: 80, protocol: HTTP}]",
                ", allowedListeners: {namespaces: {from: Selector, selector: {matchExpressions: "
                "[{key: a, operator: In}, {key: a, operator: Exists, values: [b]}, {key: a, operator: Exists}]}}}",
            ),
            [
                "spec.allowedListeners.namespaces.selector.matchExpressions[0]: values are missing; operator In needs "
                "them",
                "spec.allowedListeners.namespaces.selector.matchExpressions[1].values: operator Exists has no values",
            ],
        ),
        (
            gateway("[{name: a, port: 80, protocol: HTTP}]", ", addresses: [{value: 1.2.3.4}, {value: 1.2.3.4}, {}]"),
            ["spec.addresses[1]: '1.2.3.4' is repeated; remove one"],
        ),
    ],
)
def test_gateways(text: str, found: list[str], errors: Errors) -> None:
    assert errors("Gateway", text) == found


def test_listener_sets(errors: Errors) -> None:
    assert errors("ListenerSet", "{listeners: [{name: a, port: 80, protocol: TLS}]}") == [
        "spec.parentRef: parentRef is missing; it is required",
        "spec.listeners[0]: tls is missing; a listener for TLS needs tls.mode",
    ]
