"""What the backendRef of a route or mirror means: the host and port of a Service, or why it means none.

Source: istio `pilot/pkg/config/kube/gateway/conversion.go`, `buildDestination`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mirror_addon.gateway_api.grants import Grants
from mirror_addon.gateway_api.listeners import Problem
from mirror_addon.gateway_api.reasons import INVALID_DESTINATION
from mirror_addon.gateway_api.reasons import INVALID_KIND
from mirror_addon.gateway_api.reasons import REF_NOT_PERMITTED
from mirror_addon.gateway_api.resources.references import BackendObjectReference
from mirror_addon.gateway_api.resources.routes import RouteSpec
from mirror_addon.gateway_api.resources.routes import backends_of
from mirror_addon.gateway_api.resources.routes import filters_of
from mirror_addon.gateway_api.resources.routes import rules_of
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.names import DOMAIN_SUFFIX
from mirror_addon.istio.resources.kinds import ISTIO_GROUP

_SERVICES = (("", "Service"), ("multicluster.x-k8s.io", "ServiceImport"))
"""Istio treats a ServiceImport as the Service of its name."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A resolved reference. `label` is how the route writes it: `oven`, or `oven.bakery` in another namespace."""

    label: str
    host: str
    """Fully qualified."""
    port: int
    problem: Problem | None = None
    """Why requests for it get 500; a mirror is then not sent."""

    @property
    def key(self) -> str:
        """A text that is the same for references to the same backend only; a host may look like a label."""
        return f"host {self.host}" if self.label == self.host else self.label

    @property
    def is_fatal(self) -> bool:
        """Whether Istio drops the whole route because of it."""
        return self.problem is not None and self.problem.code == INVALID_DESTINATION


@dataclass(frozen=True, slots=True)
class Resolver:
    """Resolves the references of one route. `enforced`: references into other namespaces need a ReferenceGrant."""

    grants: Grants
    route_kind: str
    namespace: str
    domain: str
    enforced: bool

    def resolve(self, reference: BackendObjectReference) -> Backend:
        """Return the backend of a reference. Whether its Service exists is not decided here."""
        group = "" if reference.group == "core" else reference.group
        namespace = reference.namespace or self.namespace
        port = reference.port or 0
        label = reference.name if namespace == self.namespace else f"{reference.name}.{namespace}"
        host = f"{reference.name}.{namespace}.svc.{self.domain}".lower()
        if (group, reference.kind) == (ISTIO_GROUP, "Hostname"):
            return self._hostname(reference, port)
        if (group, reference.kind) not in _SERVICES:
            what = f"{reference.kind} of the group {group!r}" if group else reference.kind
            return Backend(label, host, port, Problem(INVALID_KIND, f"{what} is no backend here; name a Service"))
        if self.enforced and not self.grants.permits(
            self.route_kind, self.namespace, group, reference.kind, namespace, reference.name
        ):
            return Backend(
                label,
                host,
                port,
                Problem(
                    REF_NOT_PERMITTED,
                    f"no ReferenceGrant in namespace {namespace} lets {self.route_kind}s of namespace {self.namespace} "
                    f"refer to the {reference.kind} {reference.name}; add one there",
                ),
            )
        if "." in reference.name:
            problem = Problem(
                INVALID_DESTINATION,
                f"{reference.name!r:.80} is a host name, and Istio drops the whole route for it; write the Service's "
                "own name, and its namespace beside it",
            )
            return Backend(label, host, port, problem)
        if not port:
            return Backend(label, host, port, Problem(INVALID_DESTINATION, "port is missing; write the Service's port"))
        return Backend(label, host, port)

    @staticmethod
    def _hostname(reference: BackendObjectReference, port: int) -> Backend:
        problem = None
        if reference.namespace is not None:
            problem = Problem(INVALID_DESTINATION, "a backend of kind Hostname has no namespace; remove it")
        elif not port:
            problem = Problem(INVALID_DESTINATION, "port is missing; write the port of the ServiceEntry")
        host = reference.name.lower()
        return Backend(host, host, port, problem)


def references_of(spec: RouteSpec) -> Iterator[BackendObjectReference]:
    """Yield all backends and mirrors of a route."""
    for rule in rules_of(spec):
        yield from backends_of(rule)
        for item in filters_of(rule):
            if item.request_mirror is not None and item.request_mirror.backend_ref is not None:
                yield item.request_mirror.backend_ref


def backend_hosts(route: Resource[RouteSpec]) -> set[str]:
    """Return the full hosts of all backends and mirrors of a route."""
    resolver = Resolver(Grants(()), route.kind, route.namespace, DOMAIN_SUFFIX, enforced=False)
    return {resolver.resolve(reference).host for reference in references_of(route.spec) if reference.name}
