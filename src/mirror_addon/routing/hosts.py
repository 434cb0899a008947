"""Virtual hosts: which entries a Host header leads to (semantics 2.1, 2.2, 2.3)."""

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
from mirror_addon.routing.virtual_services import Entry

T = TypeVar("T")


class VirtualHost:
    """All that a host leads to. A listener's port decides which entries there are, before any is matched."""

    __slots__ = ("host", "other_ports", "ports", "services")

    def __init__(self, host: str, services: Sequence[CompiledVirtualService], exclusive: bool) -> None:
        """`exclusive`: the first service with entries has the host to itself (sidecar); else all are merged."""
        self.host = host
        self.services = tuple(services)
        every = {entry.port for service in services for entry in service.entries if not entry.excluded}
        self.other_ports = _index(services, 0, exclusive)
        self.ports = {port: _index(services, port, exclusive) for port in every if port}

    def at(self, port: int) -> Index | Scan | None:
        """The entries for a listener's port; None: the host is not claimed there."""
        return self.ports.get(port, self.other_ports) if self.ports else self.other_ports

    def unreachable(self, port: int) -> list[Entry]:
        """Entries that never see a request to this port: excluded, for another port, or behind a catch-all."""
        index = self.at(port)
        reachable = {id(entry) for entry in index.entries} if index else set()
        return [entry for service in self.services for entry in service.entries if id(entry) not in reachable]


def _index(services: Sequence[CompiledVirtualService], port: int, exclusive: bool) -> Index | Scan | None:
    entries: list[Entry] = []
    for service in services:
        entries += _reachable(service.entries, port)
        if entries and exclusive:
            break
    if not exclusive:
        entries.sort(key=lambda entry: entry.catch_all)  # stable: only catch-alls move, to the end
    return build_index(entries) if entries else None


def _reachable(entries: Iterable[Entry], port: int) -> list[Entry]:
    """The entries that exist for a port: none after the first catch-all."""
    found = []
    for entry in entries:
        if not entry.excluded and entry.port in (0, port):
            found.append(entry)
            if entry.catch_all:
                break
    return found


class HostTable(Generic[T]):
    """Host to value: exact before the longest suffix wildcard before `*`."""

    __slots__ = ("_exact", "_lengths", "_suffixes", "anything")

    def __init__(self, values: dict[str, T]) -> None:
        """`values` by host as virtual services write it, fully qualified."""
        self.anything: T | None = values.get("*")
        self._exact = {names.domain_of(host): value for host, value in values.items() if not host.startswith("*")}
        self._suffixes = {
            names.domain_of(host[1:]): value for host, value in values.items() if host.startswith("*") and host != "*"
        }
        self._lengths = sorted({len(suffix) for suffix in self._suffixes}, reverse=True)

    def add_alias(self, alias: str, value: T) -> None:
        """Another name for a value, unless a virtual service has it already."""
        self._exact.setdefault(names.domain_of(alias), value)

    def items(self) -> Iterator[tuple[bytes, T]]:
        """Every domain, aliases among them, with its value: lower case, wildcards with their star."""
        yield from self._exact.items()
        yield from ((b"*" + suffix, value) for suffix, value in self._suffixes.items())
        if self.anything is not None:
            yield b"*", self.anything

    def candidates(self, authority: bytes) -> list[T]:
        """All values for an authority, the most specific first. Port and case do not count."""
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
        """The most specific value."""
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
    """The table, and its virtual hosts in the order of their first document."""
    by_host: dict[str, list[CompiledVirtualService]] = {}
    for service in services:
        for host in dict.fromkeys(host.lower() for host in service.hosts):
            by_host.setdefault(host, []).append(service)
    made = {host: VirtualHost(host, claims, identity.is_sidecar) for host, claims in by_host.items()}
    table = HostTable(made)
    known = {host.lower(): service for host, service in clusters.services.items()}
    for host, virtual_host in made.items():
        others = names.aliases(host, identity.namespace, identity.domain)
        if host in known and not host.startswith("*"):
            others += [f"{host}.", *known[host].addresses]
        for alias in others:
            table.add_alias(alias, virtual_host)
    return table, tuple(made.values())
