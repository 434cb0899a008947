"""The services that this proxy sees, one for each host.

Several namespaces can declare a service for one host. Istio never mixes them: pilot keeps services by host and
namespace, leaves out those that are not exported to the proxy's namespace, and gives a proxy one of the rest. Sources:
`istio/pilot/pkg/model/push_context.go` (`initServiceRegistry`, `servicesExportedToNamespace`, `resolveServiceAliases`)
and `sidecar.go` (`selectServices`, `appendSidecarServices`).
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.resources.kinds import Spec
from mirror_addon.routing import names
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.services import MeshService
from mirror_addon.routing.services import declared_services


class ServiceRegistry:
    """The services of a proxy, by host. `hidden` has the hosts that only other namespaces see, and why."""

    def __init__(self, resources: Sequence[Resource[Spec]], identity: Identity) -> None:
        self.services: dict[str, MeshService] = {}
        self.hidden: dict[str, str] = {}
        by_host: dict[str, list[MeshService]] = {}
        for service in declared_services(resources, identity.domain):
            by_host.setdefault(service.host, []).append(service)
        for host, declared in by_host.items():
            visible = [service for service in declared if _visible(service, identity)]
            if not visible and not identity.gateways:
                visible = [service for service in declared if "~" not in service.export_to]
            if not visible:
                whose = ", ".join(dict.fromkeys(service.namespace for service in declared))
                self.hidden[host] = f"{host} of namespace {whose} is not exported to {identity.namespace}"
                continue
            self.services[host] = _chosen(visible, declared, identity)
        for host, aliases in _aliases(by_host).items():
            if host in self.services:
                self.services[host].aliases = aliases


def _visible(service: MeshService, identity: Identity) -> bool:
    return names.exported(service.export_to, service.namespace, identity.namespace)


def _chosen(visible: list[MeshService], declared: list[MeshService], identity: Identity) -> MeshService:
    """Return the service of a host that a proxy uses: all visible documents of one namespace, merged."""
    namespace, why = _namespace(visible, identity)
    hidden = dict.fromkeys(service.namespace for service in declared if service not in visible)
    others = dict.fromkeys(service.namespace for service in visible if service.namespace != namespace)
    service = _merged([service for service in visible if service.namespace == namespace])
    if others:
        service.chosen = f"{why}; not used: {', '.join(others)}"
    if hidden:
        service.chosen += ("; " if others else "") + f"not exported to {identity.namespace}: {', '.join(hidden)}"
    return service


def _namespace(visible: list[MeshService], identity: Identity) -> tuple[str, str]:
    """Return the namespace whose service is used, and the reason.

    A sidecar prefers its own namespace, a gateway does not. Both prefer a Kubernetes Service to ServiceEntries, then
    what is exported to the namespace by name, then the oldest. Pods are not on this machine: where a Kubernetes Service
    has no instance, ServiceEntries that have some stand for them.
    """
    with_instances = [service for service in visible if service.instances or not service.is_kubernetes]
    if with_instances and not any(service.alias_for for service in visible):
        visible = with_instances
    if not identity.is_gateway and any(service.namespace == identity.namespace for service in visible):
        return identity.namespace, "it is the proxy's own namespace"
    kubernetes = [service for service in visible if service.is_kubernetes]
    if kubernetes:
        return min(kubernetes, key=_age).namespace, "a Kubernetes Service takes precedence over a ServiceEntry"
    first = min(visible, key=_age)
    why = "the oldest, then the first by namespace, is used" if _public(first) else "it is exported by name"
    return first.namespace, why


def _age(service: MeshService) -> tuple[bool, str, str, str]:
    return _public(service), service.created, service.name, service.namespace


def _public(service: MeshService) -> bool:
    return not service.export_to or "*" in service.export_to


def _merged(services: list[MeshService]) -> MeshService:
    """Return services of one host and namespace as one.

    The first has its ports and those of services like it; instances are those of all (Istio has endpoints by host and
    namespace). A Kubernetes Service comes first and takes no ports from ServiceEntries.
    """
    services = sorted(services, key=lambda service: (not service.is_kubernetes, *_age(service)[1:]))
    merged = services[0]
    for service in services[1:]:
        merged.kinds += service.kinds
        merged.addresses += service.addresses
        merged.subject_alt_names += service.subject_alt_names
        merged.instances += service.instances
        if not merged.is_kubernetes and _alike(merged, service):
            merged.ports = {**service.ports, **merged.ports}
    merged.ports = dict(sorted(merged.ports.items())) if len(services) > 1 else merged.ports
    return merged


def _alike(one: MeshService, other: MeshService) -> bool:
    """Whether Istio merges the ports of two services (`canMergeServices`)."""
    return (
        one.resolution == other.resolution
        and one.labels == other.labels
        and one.selector == other.selector
        and set(one.export_to) == set(other.export_to)
    )


def _aliases(by_host: dict[str, list[MeshService]]) -> dict[str, tuple[str, ...]]:
    """Return the ExternalName Services of each host, through any number of them. Those in a loop stand for nothing."""
    targets = {host: service.alias_for for host, all_ in by_host.items() for service in all_ if service.alias_for}
    found: dict[str, list[MeshService]] = {}
    for alias in targets:
        end, seen = alias, set[str]()
        while end in targets and end not in seen:
            seen.add(end)
            end = targets[end]
        if end not in targets:
            found.setdefault(end, []).append(by_host[alias][0])
    return {host: tuple(_in_order(aliases)) for host, aliases in found.items()}


def _in_order(aliases: Iterable[MeshService]) -> list[str]:
    return [service.host for service in sorted(aliases, key=lambda service: (service.namespace, service.host))]
