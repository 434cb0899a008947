"""EndpointSlices of Services that are not among the documents.

A cluster uses none of them. A team's folder often lacks the Services, and a slice for this machine says where one
listens: where it has one port, that is the port of every reference to the Service.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.endpoint_slices import instances_by_service
from mirror_addon.istio.names import DOMAIN_SUFFIX
from mirror_addon.istio.resources.kubernetes_service import KubernetesServiceSpec
from mirror_addon.istio.resources.service_entry import ServiceEntrySpec

Address = tuple[str, int]


def addresses_of_slices_alone(
    resources: Iterable[Resource[Any]], domain: str = DOMAIN_SUFFIX
) -> dict[str, tuple[Address, ...]]:
    """Return where the Services listen of which there are only slices, each with one port, by full host."""
    resources = list(resources)
    declared = {
        host.lower() for item in resources if isinstance(item.spec, ServiceEntrySpec) for host in item.spec.hosts
    }
    declared |= {
        _host(item.name, item.namespace, domain) for item in resources if isinstance(item.spec, KubernetesServiceSpec)
    }
    found = {}
    for (namespace, name), instances in instances_by_service(resources).items():
        host = _host(name, namespace, domain)
        addresses = [(each.address, port) for each in instances for port in each.ports.values()]
        if host not in declared and addresses and len(addresses) == len(instances):
            found[host] = tuple(addresses)
    return found


def _host(name: str, namespace: str, domain: str) -> str:
    return f"{name}.{namespace}.svc.{domain}".lower()
