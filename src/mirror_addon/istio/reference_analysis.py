"""References of virtual services and destination rules to hosts, ports, subsets and delegates that are missing."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.names import resolve_short_name
from mirror_addon.istio.registry import Registry
from mirror_addon.istio.registry import Service
from mirror_addon.istio.registry import selects
from mirror_addon.istio.resources.destination_rule import DestinationRuleSpec
from mirror_addon.istio.resources.destination_rule import Subset
from mirror_addon.istio.resources.virtual_service import Destination
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
            self._check_destination(destination, path, what, resource.namespace, findings)
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
        host = resolve_short_name(resource.spec.host, resource.namespace)
        services = self._registry.matching(host, resource.namespace)
        if not services and not self._registry.knows(host, resource.namespace) and host not in self._overridden_hosts:
            findings.warning(
                ("spec", "host"), f"no service has the host {host}; {_declare(host)}", code=UNKNOWN_RULE_HOST
            )
            return
        for index, subset in enumerate(resource.spec.subsets):
            if services and not self._has_endpoints(services, host, subset):
                self._report_empty(subset, index, services, host, findings)

    def _has_endpoints(self, services: list[Service], host: str, subset: Subset) -> bool:
        if (host, subset.name) in self._overrides:
            return True
        return any(selects(subset.labels, labels) for service in services for labels in service.endpoints)

    def _report_empty(self, subset: Subset, index: int, services: list[Service], host: str, findings: Findings) -> None:
        wanted = ", ".join(f"{key}: {value}" for key, value in subset.labels.items())
        declared = services[0].declared_by
        option = f"--set mirror_endpoints={host}/{subset.name}=ADDRESS:PORT"
        path: FieldPath = ("spec", "subsets", index)
        if declared.kind == "ServiceEntry":
            field: FieldPath = ("spec", "endpoints")
            line, _ = declared.document.locate_key(field)
            findings.error(
                path,
                f"the subset {subset.name!r} selects no endpoint of {host}: add one with the labels {{{wanted}}} under "
                f"spec.endpoints in {declared.document.file}:{line}, or {option}",
                code=SUBSET_SELECTS_NOTHING,
            )
        else:
            findings.warning(
                path,
                f"the subset {subset.name!r} has no endpoint on this machine: declare a ServiceEntry for {host} "
                f"with an endpoint with the labels {{{wanted}}}, or {option}",
                code=SUBSET_SELECTS_NOTHING,
            )

    def _check_destination(
        self, destination: Destination, path: FieldPath, what: str, namespace: str, findings: Findings
    ) -> None:
        host = resolve_short_name(destination.host, namespace)
        if not host or host == "*" or self._is_overridden(host, destination):
            return
        services = self._registry.services(host, namespace)
        if not services and not self._registry.knows(host, namespace) and host not in self._overridden_hosts:
            findings.error(
                (*path, "host"),
                f"{what} {host} is not known; {_declare(host, destination.subset)}",
                code=NOT_FOUND,
            )
            return
        if services:
            self._check_port(destination, path, what, host, services, findings)
        if destination.subset:
            if not self._registry.has_subset(host, destination.subset, namespace):
                findings.error(
                    (*path, "subset"),
                    f"{what} {host} has no subset {destination.subset!r} in a DestinationRule; add it there "
                    f"(spec.subsets), or {_option(host, destination.subset)}",
                    code=NOT_FOUND,
                )
        elif services and not any(service.endpoints for service in services):
            findings.warning(
                (*path, "host"), f"{what} {host} has no endpoint on this machine; {_declare(host)}", code=NOT_FOUND
            )

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
        ports = {port for service in services for port in service.ports}
        if destination.port is not None:
            number = destination.port.number
            if number and number not in ports:
                known = ", ".join(map(str, sorted(ports))) or "none"
                findings.error(
                    (*path, "port", "number"), f"{what} {host} has no port {number}; it has: {known}", code=NOT_FOUND
                )
        elif len(ports) > 1:
            known = ", ".join(map(str, sorted(ports)))
            findings.error(
                path,
                f"{what} {host} has several ports ({known}) and none is chosen; add port: {{number: ...}}",
                code=PORT_NOT_SELECTED,
            )


def _destinations(spec: VirtualServiceSpec) -> Iterator[tuple[Destination, FieldPath, str]]:
    for index, route in enumerate(spec.http):
        path: FieldPath = ("spec", "http", index)
        for number, item in enumerate(route.route):
            if item.destination is not None:
                yield item.destination, (*path, "route", number, "destination"), "host"
        if route.mirror is not None:
            yield route.mirror, (*path, "mirror"), "mirror host"
        for number, mirror in enumerate(route.mirrors):
            if mirror.destination is not None:
                yield mirror.destination, (*path, "mirrors", number, "destination"), "mirror host"


def _declare(host: str, subset: str = "") -> str:
    return f"declare a ServiceEntry with this host and its endpoints, or {_option(host, subset)}"


def _option(host: str, subset: str) -> str:
    return f"--set mirror_endpoints={host}{'/' if subset else ''}{subset}=ADDRESS:PORT"
