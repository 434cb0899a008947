"""References of virtual services and destination rules to hosts, ports, subsets and delegates that are missing."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.label_index import selects
from mirror_addon.istio.names import resolve_short_name
from mirror_addon.istio.registry import Registry
from mirror_addon.istio.registry import Service
from mirror_addon.istio.resources.destination_rule import DestinationRuleSpec
from mirror_addon.istio.resources.destination_rule import Subset
from mirror_addon.istio.resources.virtual_service import Destination
from mirror_addon.istio.resources.virtual_service import HTTPRoute
from mirror_addon.istio.resources.virtual_service import HTTPRouteDestination
from mirror_addon.istio.resources.virtual_service import RouteDestination
from mirror_addon.istio.resources.virtual_service import TCPRoute
from mirror_addon.istio.resources.virtual_service import TLSRoute
from mirror_addon.istio.resources.virtual_service import VirtualServiceSpec

NOT_FOUND = "IST0101"
PORT_NOT_SELECTED = "IST0112"
SUBSET_SELECTS_NOTHING = "IST0173"
UNKNOWN_RULE_HOST = "IST0174"

VirtualServices = Mapping[tuple[str, str], Resource[VirtualServiceSpec]]


class References:
    """Checks each resource's references against the registry and the endpoints given by option."""

    def __init__(
        self, registry: Registry, virtual_services: VirtualServices, overrides: Collection[tuple[str, str]]
    ) -> None:
        self._registry = registry
        self._virtual_services = virtual_services
        self._overrides = frozenset(overrides)
        self._overridden_hosts = {host for host, _ in self._overrides}

    def check_virtual_service(self, resource: Resource[VirtualServiceSpec], findings: Findings) -> None:
        for destination, path, what in _destinations(resource.spec):
            self._check_destination(destination, path, what, resource, findings)
        for index, route in enumerate(resource.spec.http):
            if route.delegate is None:
                continue
            key = (route.delegate.namespace or resource.namespace, route.delegate.name)
            delegate = self._virtual_services.get(key)
            if delegate is None or delegate.spec.hosts:
                why = "is missing" if delegate is None else "has hosts, so it is not a delegate"
                findings.error(
                    ("spec", "http", index, "delegate"),
                    f"the VirtualService {key[0]}/{key[1]} {why}; this rule is ignored",
                    code=NOT_FOUND,
                )

    def check_destination_rule(self, resource: Resource[DestinationRuleSpec], findings: Findings) -> None:
        host, namespace = resolve_short_name(resource.spec.host, resource.namespace), resource.namespace
        services = self._registry.matching(host, namespace, resource.spec.export_to)
        known = services or self._registry.covering(host, namespace) or host in self._overridden_hosts
        if not known:
            findings.warning(
                ("spec", "host"), f"no service has the host {host}; {_declare(host)}", code=UNKNOWN_RULE_HOST
            )
            return
        for index, subset in enumerate(resource.spec.subsets):
            if services and (host, subset.name) not in self._overrides:
                self._check_subset(subset, index, services, host, findings)

    def _check_subset(self, subset: Subset, index: int, services: list[Service], host: str, findings: Findings) -> None:
        if any(selects(subset.labels, labels) for service in services for labels in service.endpoints):
            return
        path: FieldPath = ("spec", "subsets", index)
        wanted = ", ".join(f"{key}: {value}" for key, value in subset.labels.items())
        option = f"--set mirror_endpoints={host}/{subset.name}=ADDRESS:PORT"
        entry = f"declare a ServiceEntry for {host} with an endpoint with the labels {{{wanted}}}, or {option}"
        if any(selects(subset.labels, labels) for service in services for labels in service.pods):
            findings.info(path, f"the subset {subset.name!r} has pods, and no endpoint on this machine: {entry}")
            return
        declared = next(
            (service.declared_by for service in services if service.declared_by.kind == "ServiceEntry"), None
        )
        if declared is not None:
            line, _ = declared.document.locate_key(("spec", "endpoints"))
            findings.error(
                path,
                f"the subset {subset.name!r} selects no endpoint of {host}: add one with the labels {{{wanted}}} under "
                f"spec.endpoints in {declared.document.file}:{line}, or {option}",
                code=SUBSET_SELECTS_NOTHING,
            )
        elif any(service.pods or service.endpoints for service in services):
            findings.error(
                path,
                f"the subset {subset.name!r} selects no pod of {host}: none has the labels {{{wanted}}}; correct them, "
                f"or {option}",
                code=SUBSET_SELECTS_NOTHING,
            )
        else:
            findings.warning(
                path,
                f"the subset {subset.name!r} has no endpoint on this machine: {entry}",
                code=SUBSET_SELECTS_NOTHING,
            )

    def _check_destination(
        self,
        destination: Destination,
        path: FieldPath,
        what: str,
        resource: Resource[VirtualServiceSpec],
        findings: Findings,
    ) -> None:
        namespace, export_to = resource.namespace, resource.spec.export_to
        host = resolve_short_name(destination.host, namespace)
        if not host or host == "*" or self._is_overridden(host, destination):
            return
        services = self._registry.services(host, namespace, export_to)
        known = services or self._registry.covering(host, namespace)
        if not known and host not in self._overridden_hosts:
            findings.error(
                (*path, "host"),
                f"{what} {host} is not known{self._elsewhere(host)}; {_declare(host, destination.subset)}",
                code=NOT_FOUND,
            )
            self._check_named_subset(destination, path, what, host, namespace, findings)
            return
        self._check_port(destination, path, what, host, known, findings)
        self._check_named_subset(destination, path, what, host, namespace, findings)
        if destination.subset:
            return
        if services and path[1] == "http" and not any(service.endpoints for service in services):
            if any(service.pods for service in services):
                findings.info(
                    (*path, "host"), f"{what} {host} has pods, and no endpoint on this machine; {_declare(host)}"
                )
            else:
                findings.warning(
                    (*path, "host"), f"{what} {host} has no endpoint on this machine; {_declare(host)}", code=NOT_FOUND
                )

    def _check_named_subset(
        self, destination: Destination, path: FieldPath, what: str, host: str, namespace: str, findings: Findings
    ) -> None:
        if destination.subset and not self._registry.has_subset(host, destination.subset, namespace):
            findings.error(
                (*path, "subset"),
                f"{what} {host} has no subset {destination.subset!r} in a DestinationRule; add it there "
                f"(spec.subsets), or {_option(host, destination.subset)}",
                code=NOT_FOUND,
            )

    def _elsewhere(self, host: str) -> str:
        """Return where the host is declared for others than those who ask."""
        owners = self._registry.owners(host)
        return f" here: that of {', '.join(owners)} is not exported to this namespace" if owners else ""

    def _is_overridden(self, host: str, destination: Destination) -> bool:
        number = destination.port.number if destination.port is not None else 0
        return any(
            (name, subset) in self._overrides
            for name in (host, f"{host}:{number}")
            for subset in (destination.subset, "")
        )

    def _check_port(
        self,
        destination: Destination,
        path: FieldPath,
        what: str,
        host: str,
        services: list[Service],
        findings: Findings,
    ) -> None:
        if destination.port is not None:
            number = destination.port.number
            if number and services and not any(number in service.ports for service in services):
                findings.error(
                    (*path, "port", "number"),
                    f"{what} {host} has no port {number}; it has: {_ports(services)}",
                    code=NOT_FOUND,
                )
        elif any(len(service.ports) > 1 for service in services):
            findings.error(
                path,
                f"{what} {host} has several ports ({_ports(services)}) and none is chosen; add port: {{number: ...}}",
                code=PORT_NOT_SELECTED,
            )


def _ports(services: list[Service]) -> str:
    return ", ".join(map(str, sorted({port for service in services for port in service.ports}))) or "none"


def _destinations(spec: VirtualServiceSpec) -> Iterator[tuple[Destination, FieldPath, str]]:
    for name in ("tcp", "tls", "http"):
        section: Sequence[TCPRoute | TLSRoute | HTTPRoute] = getattr(spec, name)
        for index, rule in enumerate(section):
            if isinstance(rule, TLSRoute) and _between_clusters(rule):
                continue
            items: Sequence[RouteDestination | HTTPRouteDestination] = rule.route
            for number, item in enumerate(items):
                if item.destination is not None:
                    yield item.destination, ("spec", name, index, "route", number, "destination"), "host"
    for index, route in enumerate(spec.http):
        path: FieldPath = ("spec", "http", index)
        if route.mirror is not None:
            yield route.mirror, (*path, "mirror"), "mirror host"
        for number, mirror in enumerate(route.mirrors):
            if mirror.destination is not None:
                yield mirror.destination, (*path, "mirrors", number, "destination"), "mirror host"


def _between_clusters(rule: TLSRoute) -> bool:
    """Return whether a rule passes on what other clusters send: all its hosts are names that gateways make."""
    hosts = [host for match in rule.match for host in match.sni_hosts]
    return bool(hosts) and all(host.startswith("outbound_") for host in hosts)


def _declare(host: str, subset: str = "") -> str:
    return f"declare a ServiceEntry with this host and its endpoints, or {_option(host, subset)}"


def _option(host: str, subset: str) -> str:
    return f"--set mirror_endpoints={host}{'/' if subset else ''}{subset}=ADDRESS:PORT"
