"""Findings that concern several objects of the Gateway API: what a controller writes into their status."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Sequence
from typing import Any

from mirror_addon.gateway_api.attachment import MESH
from mirror_addon.gateway_api.attachment import Attached
from mirror_addon.gateway_api.attachment import Attacher
from mirror_addon.gateway_api.backend_tls import BackendTLSPolicies
from mirror_addon.gateway_api.backends import Resolver
from mirror_addon.gateway_api.grants import Grants
from mirror_addon.gateway_api.order_analysis import find_unreached
from mirror_addon.gateway_api.precedence import oldest_first
from mirror_addon.gateway_api.reasons import BACKEND_NOT_FOUND
from mirror_addon.gateway_api.reasons import CONFLICTED
from mirror_addon.gateway_api.reasons import NO_MATCHING_HOSTNAME
from mirror_addon.gateway_api.reasons import NO_MATCHING_PARENT
from mirror_addon.gateway_api.resources.backend_tls_policy import BackendTLSPolicySpec
from mirror_addon.gateway_api.resources.gateway import ListenerSetSpec
from mirror_addon.gateway_api.resources.grpc_route import GRPCRouteSpec
from mirror_addon.gateway_api.resources.http_route import HTTPRouteSpec
from mirror_addon.gateway_api.resources.references import BackendObjectReference
from mirror_addon.gateway_api.resources.routes import RouteSpec
from mirror_addon.gateway_api.resources.routes import backends_of
from mirror_addon.gateway_api.resources.routes import filters_of
from mirror_addon.gateway_api.resources.routes import rules_of
from mirror_addon.gateway_api.service_index import ServiceIndex
from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.names import DOMAIN_SUFFIX
from mirror_addon.istio.names import resolve_short_name
from mirror_addon.istio.resources.virtual_service import VirtualServiceSpec
from mirror_addon.istio.virtual_service_validation import applies_to_mesh


def analyze_gateway_api(resources: Sequence[Resource[Any]], *, overrides: Collection[str] = ()) -> list[Diagnostic]:
    """Return what is wrong between routes, their parents and their backends; the codes are those of `reasons`.

    `overrides` are the full hosts of the endpoints given by option: their Services are taken to be there.
    """
    routes = [item for item in resources if isinstance(item.spec, HTTPRouteSpec | GRPCRouteSpec)]
    if not routes and not any(isinstance(item.spec, ListenerSetSpec | BackendTLSPolicySpec) for item in resources):
        return []
    return _Analysis(resources, sorted(routes, key=oldest_first), overrides).diagnostics()


class _Analysis:
    def __init__(
        self,
        resources: Sequence[Resource[Any]],
        routes: Sequence[Resource[RouteSpec]],
        overrides: Collection[str],
    ) -> None:
        self._routes = routes
        self._attacher = Attacher(resources)
        self._grants = Grants(resources)
        self._services = ServiceIndex(resources, overrides)
        self._policies = BackendTLSPolicies(resources)
        self._mesh_hosts = _mesh_hosts(resources)
        self._findings: dict[int, Findings] = {}

    def diagnostics(self) -> list[Diagnostic]:
        attached = {id(route): self._attacher.attach(route) for route in self._routes}
        for route in self._routes:
            self._check_parents(route, attached[id(route)])
            self._check_references(route, attached[id(route)])
        find_unreached([(route, attached[id(route)]) for route in self._routes], self._of)
        for policy in self._policies.policies:
            self._policies.check(policy, self._of(policy))
        for parent in self._attacher.parents.values():
            findings = self._of(parent.resource)
            if parent.problem is not None:
                findings.error(("spec", "parentRef"), parent.problem.message, code=parent.problem.code)
            for index, listener in enumerate(parent.listeners):
                if (problem := parent.listener_problems.get(listener.name)) is not None:
                    findings.error(("spec", "listeners", index), problem.message, code=problem.code)
        return [found for findings in self._findings.values() for found in findings.diagnostics]

    def _of(self, resource: Resource[Any]) -> Findings:
        return self._findings.setdefault(id(resource), Findings(resource.document))

    def _check_parents(self, route: Resource[RouteSpec], attached: Attached) -> None:
        findings = self._of(route)
        for index, problem in attached.refused.items():
            findings.error(("spec", "parentRefs", index), problem.message, code=problem.code)
        for index, message in attached.assumed.items():
            findings.info(("spec", "parentRefs", index), message, code=NO_MATCHING_PARENT)
        unused = [set(hosts) for hosts in attached.hosts.values()]
        if unused and not attached.refused and not attached.assumed:
            for number, host in enumerate(route.spec.hostnames):
                if host in set.intersection(*unused):
                    findings.warning(
                        ("spec", "hostnames", number),
                        "no listener that admits this route has this host name, or one has it more exactly; correct it",
                        code=NO_MATCHING_HOSTNAME,
                    )
        for attachment in attached.attachments:
            others = self._mesh_hosts.get(attachment.host, ())
            if attachment.gateway == MESH and others:
                findings.warning(
                    ("spec", "parentRefs"),
                    f"the VirtualService {others[0]} is for {attachment.host} too, and a sidecar uses one of both: "
                    "that of its own namespace, else the oldest; remove one",
                    code=CONFLICTED,
                )

    def _check_references(self, route: Resource[RouteSpec], attached: Attached) -> None:
        # Istio asks for grants only where a Gateway is the parent.
        enforced = any(attachment.gateway != MESH for attachment in attached.attachments) or not attached.attachments
        resolver = Resolver(self._grants, route.kind, route.namespace, DOMAIN_SUFFIX, enforced)
        for index, rule in enumerate(rules_of(route.spec)):
            path: FieldPath = ("spec", "rules", index)
            for number, backend in enumerate(backends_of(rule)):
                if backend.name:
                    self._check_reference(route, resolver, backend, (*path, "backendRefs", number))
            for number, item in enumerate(filters_of(rule)):
                mirror = item.request_mirror
                if mirror is not None and mirror.backend_ref is not None and mirror.backend_ref.name:
                    here = (*path, "filters", number, "requestMirror", "backendRef")
                    self._check_reference(route, resolver, mirror.backend_ref, here)

    def _check_reference(
        self,
        route: Resource[RouteSpec],
        resolver: Resolver,
        reference: BackendObjectReference,
        path: FieldPath,
    ) -> None:
        mirror = path[-1] == "backendRef"
        findings, backend = self._of(route), resolver.resolve(reference)
        if backend.problem is not None:
            if reference.port is not None or reference.kind != "Service":  # else an API server refuses the route
                effect = "nothing is mirrored there" if mirror else "its share of the requests gets 500"
                findings.error(path, f"{backend.problem.message}; {effect}", code=backend.problem.code)
            return
        what = self._services.problem(backend.host, backend.port, route.namespace)
        if what is not None:
            add = findings.error if what.unknown else findings.warning
            status = 500 if what.unknown else 503
            effect = "nothing is mirrored there" if mirror else f"its share of the requests gets {status}"
            add((*path, what.field), f"{what.message}; until then {effect}", code=BACKEND_NOT_FOUND)


def _mesh_hosts(resources: Sequence[Resource[Any]]) -> dict[str, list[str]]:
    """Return the hosts that virtual services of the mesh have, with the names of these."""
    found: dict[str, list[str]] = {}
    for item in resources:
        if isinstance(item.spec, VirtualServiceSpec) and item.spec.hosts and applies_to_mesh(item.spec):
            for host in item.spec.hosts:
                full = resolve_short_name(host, item.namespace).lower()
                found.setdefault(full, []).append(f"{item.namespace}/{item.name}")
    return found
