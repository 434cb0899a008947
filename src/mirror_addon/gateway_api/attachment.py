"""Where a route applies: the listeners, Gateways or Services of the mesh that its parentRefs name.

Source: istio `pilot/pkg/config/kube/gateway/conversion.go`, `referenceAllowed`, and `route_collections.go`.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from mirror_addon.gateway_api.hostnames import ANY
from mirror_addon.gateway_api.hostnames import intersection
from mirror_addon.gateway_api.hostnames import is_isolated
from mirror_addon.gateway_api.listeners import Listeners
from mirror_addon.gateway_api.listeners import Parent
from mirror_addon.gateway_api.listeners import Problem
from mirror_addon.gateway_api.reasons import CONFLICTED
from mirror_addon.gateway_api.reasons import NO_MATCHING_HOSTNAME
from mirror_addon.gateway_api.reasons import NO_MATCHING_PARENT
from mirror_addon.gateway_api.reasons import NOT_ALLOWED
from mirror_addon.gateway_api.resources.gateway import Listener
from mirror_addon.gateway_api.resources.references import GROUP
from mirror_addon.gateway_api.resources.references import ParentReference
from mirror_addon.gateway_api.resources.routes import RouteSpec
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.names import DOMAIN_SUFFIX
from mirror_addon.istio.resources.kinds import ISTIO_GROUP
from mirror_addon.istio.resources.kubernetes_service import KubernetesServiceSpec
from mirror_addon.istio.resources.service_entry import ServiceEntrySpec

MESH = "mesh"
_ORDER = (NOT_ALLOWED, NO_MATCHING_HOSTNAME, CONFLICTED, NO_MATCHING_PARENT)
"""Of several listeners that refuse a route, Istio reports the first of these reasons (`conditions.go`)."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """One host of one listener, or of one Service of the mesh, at which a route applies.

    Routes with the same attachment are sorted together. `scope` tells apart what is not: the listener, or the route's
    namespace in the mesh.
    """

    gateway: str
    """`namespace/name` of the Gateway, or `mesh`."""
    scope: str
    host: str
    """In lower case; `*` for every host."""
    port: int
    """The listener's; 0: every port."""
    namespace: str
    """Of the Gateway, or of the Service."""


@dataclass(slots=True)
class Attached:
    """The result for one route. `refused` and `assumed` are by the index of the parentRef."""

    attachments: list[Attachment] = field(default_factory=list)
    refused: dict[int, Problem] = field(default_factory=dict)
    assumed: dict[int, str] = field(default_factory=dict)
    """Parents that are not among the documents and are taken to admit the route."""
    hosts: dict[int, list[str]] = field(default_factory=dict)
    """Host names of the route that have nothing in common with the listeners of this parent."""


class Attacher:
    """Finds out where routes apply."""

    def __init__(self, resources: Iterable[Resource[Any]], domain: str = DOMAIN_SUFFIX) -> None:
        resources = list(resources)
        self._domain = domain
        self._listeners = Listeners(resources)
        self._services = {
            (item.namespace, item.name): item for item in resources if isinstance(item.spec, KubernetesServiceSpec)
        }
        self._entries = {
            (item.namespace, item.name): item for item in resources if isinstance(item.spec, ServiceEntrySpec)
        }

    @property
    def parents(self) -> Mapping[tuple[str, str, str], Parent]:
        """The Gateways and ListenerSets, by kind, namespace and name."""
        return self._listeners.parents

    def attach(self, route: Resource[RouteSpec]) -> Attached:
        """Return where a route applies, and why not."""
        found = Attached()
        for index, reference in enumerate(route.spec.parent_refs):
            namespace = reference.namespace or route.namespace
            match (reference.group, reference.kind):
                case (group, "Gateway" | "ListenerSet") if group == GROUP:
                    self._to_gateway(route, reference, namespace, index, found)
                case ("" | "core", "Service"):
                    self._to_service(route, reference, namespace, index, found)
                case (group, "ServiceEntry") if group == ISTIO_GROUP:
                    self._to_entry(route, reference, namespace, index, found)
                case _:
                    found.refused[index] = Problem(
                        NO_MATCHING_PARENT,
                        f"{reference.kind} of the group {reference.group!r} is no parent that is known; "
                        "write a Gateway, a ListenerSet, or a Service of the mesh (group: '', kind: Service)",
                    )
        found.attachments = list(dict.fromkeys(found.attachments))
        return found

    def _to_gateway(
        self, route: Resource[RouteSpec], reference: ParentReference, namespace: str, index: int, found: Attached
    ) -> None:
        parent = self.parents.get((reference.kind, namespace, reference.name))
        name = f"{namespace}/{reference.name}"
        if parent is None:
            port = reference.port or 0
            found.assumed[index] = (
                f"the {reference.kind} {name} is not among the documents: it is taken to admit this route, on "
                f"{f'port {port}' if port else 'any port'}"
            )
            if reference.section_name is not None:
                found.assumed[index] += (
                    f", whatever listener is called {reference.section_name}; add it where routes are for different "
                    "listeners"
                )
            for host in route.spec.hostnames or (ANY,):
                found.attachments.append(Attachment(name, name, host.lower(), port, namespace))
            return
        if parent.problem is not None:
            found.refused[index] = Problem(
                NO_MATCHING_PARENT, f"the ListenerSet {name} is not used: {parent.problem.message}"
            )
            return
        problems: list[Problem] = []
        hosts: set[str] = set()
        for listener in parent.listeners:
            problem = self._refusal(route, reference, parent, listener)
            if problem is not None:
                problems.append(problem)
                continue
            hosts |= self._to_listener(route, parent, listener, found)
        accepted = len(problems) < len(parent.listeners)
        if not accepted:
            problems.append(Problem(NO_MATCHING_PARENT, f"the {reference.kind} {name} has no listeners"))
            found.refused[index] = min(problems, key=lambda problem: _ORDER.index(problem.code))
        else:
            found.hosts[index] = [host for host in route.spec.hostnames if host not in hosts]

    def _refusal(
        self, route: Resource[RouteSpec], reference: ParentReference, parent: Parent, listener: Listener
    ) -> Problem | None:
        if reference.port is not None and reference.port != listener.port:
            ports = ", ".join(str(port) for port in dict.fromkeys(each.port for each in parent.listeners))
            return Problem(NO_MATCHING_PARENT, f"no listener has the port {reference.port}; there are: {ports}")
        if reference.section_name is not None and reference.section_name != listener.name:
            names = ", ".join(each.name for each in parent.listeners)
            return Problem(NO_MATCHING_PARENT, f"no listener has the name {reference.section_name}; there are: {names}")
        unused = parent.listener_problems.get(listener.name)
        if unused is not None:
            return Problem(CONFLICTED, f"the listener {listener.name} is not used: {unused.message}")
        hostnames = route.spec.hostnames or (ANY,)
        if all(intersection(host, listener.hostname) is None for host in hostnames):
            return Problem(
                NO_MATCHING_HOSTNAME,
                f"no host name of this route fits that of the listener {listener.name}, {listener.hostname}; "
                "correct one of them",
            )
        return parent.admits(listener, route.kind, route.namespace, self._listeners.labels(route.namespace))

    @staticmethod
    def _to_listener(route: Resource[RouteSpec], parent: Parent, listener: Listener, found: Attached) -> set[str]:
        """Attach a route to a listener that admits it, and return which of its host names are used."""
        others, used = parent.others(listener), set()
        for hostname in route.spec.hostnames or (ANY,):
            host = intersection(hostname, listener.hostname)
            if host is not None and not is_isolated(hostname.lower(), listener.hostname.lower(), others):
                used.add(hostname)
                owner = parent.resource
                scope = f"{owner.kind}/{owner.namespace}/{owner.name}/{listener.name}"
                found.attachments.append(
                    Attachment(parent.gateway, scope, host, listener.port, parent.gateway.partition("/")[0])
                )
        return used

    def _to_service(
        self, route: Resource[RouteSpec], reference: ParentReference, namespace: str, index: int, found: Attached
    ) -> None:
        service = self._services.get((namespace, reference.name))
        if service is None:
            found.assumed[index] = (
                f"the Service {namespace}/{reference.name} is not among the documents: it is taken to be there"
            )
        ports = service.spec.ports if service is not None else ()
        port = reference.port or 0
        if reference.section_name is not None and service is not None:
            port = next((each.port for each in ports if each.name == reference.section_name), 0)
            if not port:
                found.refused[index] = Problem(
                    NO_MATCHING_PARENT, f"the Service {namespace}/{reference.name} has no port {reference.section_name}"
                )
                return
        if reference.port is not None and ports and reference.port not in [each.port for each in ports]:
            known = ", ".join(str(each.port) for each in ports)
            found.refused[index] = Problem(
                NO_MATCHING_PARENT,
                f"the Service {namespace}/{reference.name} has no port {reference.port}; it has: {known}",
            )
            return
        host = f"{reference.name}.{namespace}.svc.{self._domain}"
        found.attachments.append(Attachment(MESH, route.namespace, host.lower(), port, namespace))

    def _to_entry(
        self, route: Resource[RouteSpec], reference: ParentReference, namespace: str, index: int, found: Attached
    ) -> None:
        entry = self._entries.get((namespace, reference.name))
        if entry is None:
            found.refused[index] = Problem(
                NO_MATCHING_PARENT, f"the ServiceEntry {namespace}/{reference.name} is not among the documents; add it"
            )
            return
        for host in entry.spec.hosts:
            found.attachments.append(
                Attachment(MESH, route.namespace, host.lower(), reference.port or 0, entry.namespace)
            )


def gateway_names(route: Resource[RouteSpec]) -> set[str]:
    """Return the Gateways and ListenerSets that a route names as parents, as `namespace/name`."""
    return {
        f"{reference.namespace or route.namespace}/{reference.name}"
        for reference in route.spec.parent_refs
        if reference.group == GROUP and reference.kind in ("Gateway", "ListenerSet")
    }
