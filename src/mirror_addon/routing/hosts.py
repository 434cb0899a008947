"""Virtual hosts: the entries that belong to a Host header.

The choice of a host is Envoy's (`RouteMatcher::findVirtualHost`). What a host contains is Istio's: on a gateway the
routes of all virtual services of a host are merged and catch-alls moved to the end (`route.go`, `SortVHostRoutes`), in
a sidecar the first virtual service has the host alone (`istio/pilot/pkg/networking/core/httproute.go`).
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Generic
from typing import TypeVar

from mirror_addon.routing import names
from mirror_addon.routing.destinations import Clusters
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.index import Index
from mirror_addon.routing.index import Scan
from mirror_addon.routing.index import build_index
from mirror_addon.routing.names import without_port
from mirror_addon.routing.virtual_services import CompiledVirtualService
from mirror_addon.routing.virtual_services import RouteEntry

T = TypeVar("T")


class VirtualHost:
    """The entries of one host. Which of them exist depends on the listener's port, before any is matched."""

    __slots__ = ("host", "other_ports", "ports", "services")

    def __init__(self, host: str, services: Sequence[CompiledVirtualService], exclusive: bool) -> None:
        """`exclusive`: the first service with entries has the host alone (sidecar); else all are merged (gateway)."""
        self.host = host
        self.services = tuple(services)
        entries = (entry for service in services for entry in service.entries)
        every = {entry.port for entry in entries if entry.lost or not entry.excluded}
        self.other_ports = _index(services, 0, exclusive)
        self.ports = {port: _index(services, port, exclusive) for port in every if port}

    def at(self, port: int) -> Index | Scan | None:
        """Return the entries for a listener's port; None where the host is not claimed on that port."""
        return self.ports.get(port, self.other_ports) if self.ports else self.other_ports

    def unreachable(self, port: int) -> list[RouteEntry]:
        """Return the entries that no request to this port reaches: excluded, for another port, after a catch-all."""
        index = self.at(port)
        reachable = {id(entry) for entry in index.entries} if index else set()
        return [entry for service in self.services for entry in service.entries if id(entry) not in reachable]


def _index(services: Sequence[CompiledVirtualService], port: int, exclusive: bool) -> Index | Scan | None:
    entries: list[RouteEntry] = []
    for service in services:
        entries += _reachable(service.entries, port)
        if entries and exclusive:
            break
    if not exclusive:
        entries.sort(key=lambda entry: entry.catch_all)  # stable: only catch-alls move, to the end
    claimed = entries or any(
        entry.lost and entry.port in (0, port) for service in services for entry in service.entries
    )
    return build_index(entries) if claimed else None


def _reachable(entries: Iterable[RouteEntry], port: int) -> list[RouteEntry]:
    """Return the entries that exist for a port. Istio makes no routes after the first catch-all (`route.go`)."""
    found = []
    for entry in entries:
        if not entry.excluded and entry.port in (0, port):
            found.append(entry)
            if entry.catch_all:
                break
    return found


class HostTable(Generic[T]):
    """A value for each host: an exact name takes precedence over the longest suffix wildcard, that over `*`."""

    __slots__ = ("_exact", "_lengths", "_suffixes", "anything")

    def __init__(self, values: dict[str, T]) -> None:
        """`values` are by host as a virtual service writes it, fully qualified."""
        self.anything: T | None = values.get("*")
        self._exact = {names.domain_of(host): value for host, value in values.items() if not host.startswith("*")}
        self._suffixes = {
            names.domain_of(host[1:]): value for host, value in values.items() if host.startswith("*") and host != "*"
        }
        self._lengths = sorted({len(suffix) for suffix in self._suffixes}, reverse=True)

    def add_alias(self, alias: str, value: T) -> None:
        """Add another name for a value, unless the name has a value already."""
        self._exact.setdefault(names.domain_of(alias), value)

    def items(self) -> Iterator[tuple[bytes, T]]:
        """Yield every domain, aliases included, with its value: lower case, wildcards with their `*`."""
        yield from self._exact.items()
        yield from ((b"*" + suffix, value) for suffix, value in self._suffixes.items())
        if self.anything is not None:
            yield b"*", self.anything

    def candidates(self, authority: bytes) -> list[T]:
        """Return all values for an authority, the most specific first; port and case are ignored."""
        host = without_port(authority).lower()
        found = []
        value = self._exact.get(host)
        if value is not None:
            found.append(value)
        for length in self._lengths:
            if len(host) > length:
                value = self._suffixes.get(host[-length:])
                if value is not None:
                    found.append(value)
        if self.anything is not None:
            found.append(self.anything)
        return found

    def find(self, authority: bytes) -> T | None:
        """Return the most specific value: the first of `candidates`, without making the list of all."""
        colon = authority.rfind(b":")
        host = authority.lower() if colon < 0 else without_port(authority).lower()
        value = self._exact.get(host)
        if value is not None:
            return value
        for length in self._lengths:
            if len(host) > length:
                value = self._suffixes.get(host[-length:])
                if value is not None:
                    return value
        return self.anything


def build_hosts(
    services: Sequence[CompiledVirtualService], identity: Identity, clusters: Clusters
) -> tuple[HostTable[VirtualHost], tuple[VirtualHost, ...]]:
    """Return the table of hosts, and the virtual hosts in the order of their first document."""
    by_host: dict[str, list[CompiledVirtualService]] = {}
    for service in services:
        for host in dict.fromkeys(host.lower() for host in service.hosts):
            by_host.setdefault(host, []).append(service)
    made = {
        host: VirtualHost(host, claims, identity.is_sidecar or any(claim.mesh for claim in claims))
        for host, claims in by_host.items()
    }
    table = HostTable(made)
    known = {host.lower(): service for host, service in clusters.services.items()}
    for host, virtual_host in made.items():
        others = names.aliases(host, identity.namespace, identity.domain)
        if host in known and not host.startswith("*"):
            others += [f"{host}.", *known[host].addresses]
        for alias in others:
            table.add_alias(alias, virtual_host)
    return table, tuple(made.values())
