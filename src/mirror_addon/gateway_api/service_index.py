"""Which Services there are, and whether they have endpoints on this machine: for the findings of `analysis`."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mirror_addon.gateway_api.slices_alone import addresses_of_slices_alone
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.names import DOMAIN_SUFFIX
from mirror_addon.istio.registry import Registry


@dataclass(frozen=True, slots=True)
class Missing:
    """What a backend lacks. `unknown`: there is no such Service or port, else only no endpoint."""

    unknown: bool
    field: str
    message: str


class ServiceIndex:
    """The Services of a set of documents. `overrides` are full hosts, or `HOST:PORT`, with endpoints by option."""

    def __init__(self, resources: Sequence[Resource[Any]], overrides: Collection[str]) -> None:
        self._registry = Registry(resources)
        self._overrides = frozenset(host.lower() for host in overrides)
        self._alone = addresses_of_slices_alone(resources)

    def problem(self, host: str, port: int, namespace: str) -> Missing | None:
        """Return why requests to a host and port have no endpoint here; None where they have one."""
        if host in self._overrides or f"{host}:{port}" in self._overrides or host in self._alone:
            return None
        name = host.removesuffix(f".svc.{DOMAIN_SUFFIX}")
        option = f"or start with --set mirror_endpoints={name}=ADDRESS:PORT"
        services = self._registry.services(host, namespace)
        if not services:
            return Missing(
                True, "name", f"no Service {name} is among the documents: add it and an EndpointSlice, {option}"
            )
        ports = {number for service in services for number in service.ports}
        if port not in ports:
            known = ", ".join(map(str, sorted(ports))) or "none"
            return Missing(True, "port", f"the Service {name} has no port {port}, it has: {known}; correct one of them")
        if not any(service.endpoints for service in services):
            return Missing(
                False, "name", f"the Service {name} has no endpoint on this machine: add an EndpointSlice, {option}"
            )
        return None
