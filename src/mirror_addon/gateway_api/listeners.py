"""The listeners of Gateways and ListenerSets: what routes attach to."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mirror_addon.gateway_api.hostnames import ANY
from mirror_addon.gateway_api.reasons import CONFLICTED
from mirror_addon.gateway_api.reasons import NO_MATCHING_PARENT
from mirror_addon.gateway_api.reasons import NOT_ALLOWED
from mirror_addon.gateway_api.reasons import UNSUPPORTED_PROTOCOL
from mirror_addon.gateway_api.resources.gateway import GatewaySpec
from mirror_addon.gateway_api.resources.gateway import LabelSelector
from mirror_addon.gateway_api.resources.gateway import LabelSelectorRequirement
from mirror_addon.gateway_api.resources.gateway import Listener
from mirror_addon.gateway_api.resources.gateway import ListenerNamespaces
from mirror_addon.gateway_api.resources.gateway import ListenerSetSpec
from mirror_addon.gateway_api.resources.gateway import RouteNamespaces
from mirror_addon.gateway_api.resources.references import GROUP
from mirror_addon.istio.documents import Resource

Name = tuple[str, str, str]
"""Kind, namespace and name of a Gateway or ListenerSet."""
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
_KINDS = {
    "HTTP": ("HTTPRoute", "GRPCRoute"),
    "HTTPS": ("HTTPRoute", "GRPCRoute"),
    "TLS": ("TLSRoute",),
    "TCP": ("TCPRoute",),
    "UDP": ("UDPRoute",),
}
"""By protocol: the kinds of routes that a listener admits where it names none."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something is not used: a code of `reasons`, and a message with a cure."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Parent:
    """A Gateway or ListenerSet. `gateway` is the namespace/name of the Gateway itself."""

    resource: Resource[Any]
    gateway: str
    listeners: tuple[Listener, ...]
    problem: Problem | None
    """Why it is not used at all (a ListenerSet only)."""
    listener_problems: Mapping[str, Problem]
    """By the listener's name: why that one is not used."""

    def admits(self, listener: Listener, kind: str, namespace: str, labels: Mapping[str, str]) -> Problem | None:
        """Return why a listener does not admit a route of a kind and namespace; None where it does."""
        allowed = listener.allowed_routes.namespaces
        if not _selects(allowed, self.resource.namespace, namespace, labels):
            return Problem(
                NOT_ALLOWED,
                f"the listener {listener.name} admits routes from {_words(allowed, self.resource.namespace)}, not from "
                f"{namespace}; change its allowedRoutes.namespaces",
            )
        named = [item.kind for item in listener.allowed_routes.kinds if item.group == GROUP]
        kinds = named if listener.allowed_routes.kinds else _KINDS.get(listener.protocol, ())
        if kind not in kinds or kind not in _KINDS.get(listener.protocol, ()):
            return Problem(
                NOT_ALLOWED,
                f"the listener {listener.name} ({listener.protocol}) admits no {kind}; add it to allowedRoutes.kinds, "
                "or attach the route to another listener",
            )
        return None

    def others(self, listener: Listener) -> frozenset[str]:
        """Return the host names of the other listeners with the same port and protocol."""
        same = (listener.port, listener.protocol)
        return frozenset(
            (other.hostname or ANY).lower()
            for other in self.listeners
            if other is not listener and (other.port, other.protocol) == same
        )


class Listeners:
    """All Gateways and ListenerSets, by kind, namespace and name, and the labels of the Namespaces."""

    def __init__(self, resources: Iterable[Resource[Any]]) -> None:
        resources = list(resources)
        self._labels = {item.name: item.labels for item in resources if item.kind == "Namespace"}
        self.parents: dict[Name, Parent] = {}
        for resource in resources:
            if isinstance(resource.spec, GatewaySpec):
                name = f"{resource.namespace}/{resource.name}"
                problems = {
                    listener.name: Problem(UNSUPPORTED_PROTOCOL, f"protocol {listener.protocol} is not HTTP or HTTPS")
                    for listener in resource.spec.listeners
                    if listener.protocol not in _KINDS
                }
                self.parents.setdefault(
                    ("Gateway", resource.namespace, resource.name),
                    Parent(resource, name, resource.spec.listeners, None, problems),
                )
        sets = [item for item in resources if isinstance(item.spec, ListenerSetSpec)]
        taken: dict[str, list[tuple[str, Listener]]] = {}
        for item in sorted(sets, key=lambda item: (item.creation_timestamp, item.namespace, item.name)):
            self.parents.setdefault(("ListenerSet", item.namespace, item.name), self._listener_set(item, taken))

    def labels(self, namespace: str) -> dict[str, str]:
        """Return the labels of a namespace, to which its name belongs."""
        return {**self._labels.get(namespace, {}), NAMESPACE_LABEL: namespace}

    def _listener_set(
        self, resource: Resource[ListenerSetSpec], taken: dict[str, list[tuple[str, Listener]]]
    ) -> Parent:
        reference = resource.spec.parent_ref
        namespace = reference.namespace or resource.namespace if reference is not None else ""
        name = f"{namespace}/{reference.name}" if reference is not None else ""
        gateway = self.parents.get(("Gateway", *_split(name)))
        problem = None
        if reference is None or (reference.group, reference.kind) != (GROUP, "Gateway"):
            problem = Problem(NO_MATCHING_PARENT, "the parentRef of a ListenerSet is a Gateway")
        elif gateway is not None:
            allowed = gateway.resource.spec.allowed_listeners.namespaces
            if not _selects(allowed, namespace, resource.namespace, self.labels(resource.namespace)):
                problem = Problem(
                    NOT_ALLOWED,
                    f"the Gateway {name} admits ListenerSets from {_words(allowed, namespace)}; "
                    "change its allowedListeners.namespaces",
                )
        known = taken.setdefault(name, [("the Gateway", each) for each in gateway.listeners] if gateway else [])
        problems: dict[str, Problem] = {}
        for listener in resource.spec.listeners if problem is None else ():
            conflict = next((owner for owner, other in known if _conflict(other, listener)), None)
            if conflict is not None:
                problems[listener.name] = Problem(
                    CONFLICTED,
                    f"{conflict} has a listener for port {listener.port} and this host name or another protocol",
                )
        if problem is None:
            own = f"the ListenerSet {resource.namespace}/{resource.name}"
            known += [(own, listener) for listener in resource.spec.listeners if listener.name not in problems]
        return Parent(resource, name, resource.spec.listeners, problem, problems)


def _split(name: str) -> tuple[str, str]:
    namespace, _, own = name.partition("/")
    return namespace, own


def _conflict(one: Listener, other: Listener) -> bool:
    if one.port != other.port:
        return False
    return one.protocol != other.protocol or one.hostname.lower() == other.hostname.lower()


def _selects(
    allowed: RouteNamespaces | ListenerNamespaces, own: str, namespace: str, labels: Mapping[str, str]
) -> bool:
    match allowed.from_:
        case "All":
            return True
        case "Same":
            return own == namespace
        case "Selector":
            return allowed.selector is None or selector_holds(allowed.selector, labels)
    return False


def selector_holds(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether labels meet all of a selector (apimachinery `pkg/apis/meta/v1/helpers.go`)."""
    if not selector.match_labels.items() <= labels.items():
        return False
    return all(_requirement_holds(item, labels) for item in selector.match_expressions)


def _requirement_holds(item: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(item.key)
    match item.operator:
        case "In":
            return value in item.values
        case "NotIn":
            return value not in item.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False


def _words(allowed: RouteNamespaces | ListenerNamespaces, own: str) -> str:
    match allowed.from_:
        case "Same":
            return f"its own namespace {own}"
        case "None":
            return "nowhere"
    return "the namespaces that its selector selects"
