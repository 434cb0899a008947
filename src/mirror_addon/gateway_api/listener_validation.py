"""Gateway and ListenerSet: what an API server refuses in one of them."""

from __future__ import annotations

from collections.abc import Sequence

from mirror_addon.gateway_api.resources.gateway import AllowedRoutes
from mirror_addon.gateway_api.resources.gateway import GatewaySpec
from mirror_addon.gateway_api.resources.gateway import LabelSelector
from mirror_addon.gateway_api.resources.gateway import Listener
from mirror_addon.gateway_api.resources.gateway import ListenerSetSpec
from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.findings import Findings

_WITHOUT_TLS = ("HTTP", "TCP", "UDP")
_WITHOUT_HOSTNAME = ("TCP", "UDP")


def validate_listeners(resource: Resource[GatewaySpec | ListenerSetSpec], findings: Findings) -> None:
    spec = resource.spec
    _find_same_listeners(spec.listeners, findings)
    for index, listener in enumerate(spec.listeners):
        path: FieldPath = ("spec", "listeners", index)
        if listener.protocol in _WITHOUT_HOSTNAME and listener.hostname:
            findings.error((*path, "hostname"), f"a listener for {listener.protocol} has no hostname; remove it")
        _validate_tls(listener, path, findings)
        _validate_selector(listener.allowed_routes, (*path, "allowedRoutes", "namespaces"), findings)
    if isinstance(spec, GatewaySpec):
        allowed = spec.allowed_listeners.namespaces
        _validate_expressions(allowed.selector, ("spec", "allowedListeners", "namespaces", "selector"), findings)
        _validate_addresses(spec, findings)


def _find_same_listeners(listeners: Sequence[Listener], findings: Findings) -> None:
    seen: dict[tuple[int, str, str], str] = {}
    for index, listener in enumerate(listeners):
        first = seen.setdefault((listener.port, listener.protocol, listener.hostname), listener.name)
        if first != listener.name:
            findings.error(
                ("spec", "listeners", index),
                f"the listener {first!r:.80} has the same port, protocol and hostname; merge them",
            )


def _validate_tls(listener: Listener, path: FieldPath, findings: Findings) -> None:
    tls, here = listener.tls, (*path, "tls")
    if tls is None:
        if listener.protocol == "TLS":
            findings.error(path, "tls is missing; a listener for TLS needs tls.mode")
        return
    if listener.protocol in _WITHOUT_TLS:
        findings.error(here, f"a listener for {listener.protocol} has no tls; write protocol: HTTPS, or remove it")
    if listener.protocol == "HTTPS" and tls.mode != "Terminate":
        findings.error((*here, "mode"), "must be Terminate for protocol HTTPS")
    if tls.mode == "Terminate" and not tls.certificate_refs and not tls.options:
        findings.error(here, "certificateRefs (or options) are missing; mode Terminate needs them")


def _validate_selector(allowed: AllowedRoutes, path: FieldPath, findings: Findings) -> None:
    if allowed.namespaces.from_ == "Selector" and allowed.namespaces.selector is None:
        findings.warning(
            (*path, "selector"), "from: Selector without a selector admits all namespaces in Istio; add one"
        )
    _validate_expressions(allowed.namespaces.selector, (*path, "selector"), findings)


def _validate_expressions(selector: LabelSelector | None, path: FieldPath, findings: Findings) -> None:
    for index, item in enumerate(selector.match_expressions if selector is not None else ()):
        if item.operator in ("In", "NotIn") and not item.values:
            findings.error(
                (*path, "matchExpressions", index), f"values are missing; operator {item.operator} needs them"
            )
        elif item.operator in ("Exists", "DoesNotExist") and item.values:
            findings.error((*path, "matchExpressions", index, "values"), f"operator {item.operator} has no values")


def _validate_addresses(spec: GatewaySpec, findings: Findings) -> None:
    seen: set[tuple[str, str]] = set()
    for index, address in enumerate(spec.addresses):
        key = (address.type, address.value)
        if address.value and key in seen:
            findings.error(("spec", "addresses", index), f"{address.value!r:.80} is repeated; remove one")
        seen.add(key)
