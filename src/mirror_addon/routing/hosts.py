"""Virtual hosts: the entries that belong to a Host header.

The choice of a host is Envoy's (`RouteMatcher::findVirtualHost`). What a host contains is Istio's: on a gateway the
routes of all virtual services of a host are merged and catch-alls moved to the end (`route.go`, `SortVHostRoutes`), in
a sidecar the first virtual service has the host alone (`istio/pilot/pkg/networking/core/httproute.go`).
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic
from typing import TypeVar

from mirror_addon.routing import names
from mirror_addon.routing.destinations import Clusters
from mirror_addon.routing.gateways import Gateways
from mirror_addon.routing.gateways import Server
from mirror_addon.routing.https_redirect import HttpsRedirect
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.index import Index
from mirror_addon.routing.index import Scan
from mirror_addon.routing.index import build_index
from mirror_addon.routing.names import without_port
from mirror_addon.routing.services import MeshService
from mirror_addon.routing.virtual_services import CompiledVirtualService
from mirror_addon.routing.virtual_services import RouteEntry

T = TypeVar("T")

Entries = Index | Scan | HttpsRedirect
"""The entries of a host at a port."""


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """A virtual service's claim of a host.

    Through a server of a known Gateway it holds at the server's port, and for matches that are not for other gateways;
    else it holds at every port, for all matches that apply to this proxy.
    """

    service: CompiledVirtualService
    server: Server | None = None

    def at(self, port: int) -> bool:
        return self.server is None or self.server.port == port

    def has(self, entry: RouteEntry) -> bool:
        return self.server is None or not entry.gateways or self.server.gateway in entry.gateways


class VirtualHost:
    """The entries of one host. Which of them exist depends on the listener's port, before any is matched."""

    __slots__ = ("host", "other_ports", "ports", "services")

    def __init__(
        self,
        host: str,
        claims: Sequence[Claim],
        exclusive: bool,
        redirected: Iterable[int] = (),
    ) -> None:
        """`exclusive`: the first service with entries has the host alone (sidecar); else all are merged (gateway).

        `redirected` are the ports where requests over plain HTTP are redirected to https.
        """
        self.host = host
        self.services = tuple({id(claim.service): claim.service for claim in claims}.values())
        entries = (entry for service in self.services for entry in service.entries)
        ports = {entry.port for entry in entries if entry.lost or not entry.excluded}
        ports |= {claim.server.port for claim in claims if claim.server is not None}
        self.other_ports: Entries | None = _index(claims, 0, exclusive)
        self.ports: dict[int, Entries | None] = {port: _index(claims, port, exclusive) for port in ports if port}
        for port in redirected:
            self.ports[port] = HttpsRedirect(_index(claims, port, exclusive))

    def at(self, port: int) -> Entries | None:
        """Return the entries for a listener's port; None where the host is not claimed on that port."""
        return self.ports.get(port, self.other_ports) if self.ports else self.other_ports

    def unreachable(self, port: int) -> list[RouteEntry]:
        """Return the entries that no request to this port reaches: excluded, for another port, after a catch-all."""
        index = self.at(port)
        reachable = {id(entry) for entry in index.entries} if index else set()
        return [entry for service in self.services for entry in service.entries if id(entry) not in reachable]


def _index(claims: Sequence[Claim], port: int, exclusive: bool) -> Index | Scan | None:
    entries: list[RouteEntry] = []
    for claim in claims:
        if claim.at(port):
            known = {id(entry) for entry in entries} if claim.server is not None else set()
            entries += [entry for entry in _reachable(claim, port) if id(entry) not in known]
        if entries and exclusive:
            break
    if not exclusive:
        entries.sort(key=lambda entry: entry.catch_all)  # stable: only catch-alls move, to the end
    claimed = entries or any(
        entry.lost and entry.port in (0, port) for claim in claims for entry in claim.service.entries
    )
    return build_index(entries) if claimed else None


def _reachable(claim: Claim, port: int) -> list[RouteEntry]:
    """Return the entries that exist for a port. Istio makes no routes after the first catch-all (`route.go`)."""
    found = []
    for entry in claim.service.entries:
        if not entry.excluded and entry.port in (0, port) and claim.has(entry):
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
        """Add another name or wildcard for a value, unless it has a value already."""
        if alias.startswith("*"):
            suffix = names.domain_of(alias[1:])
            self._suffixes.setdefault(suffix, value)
            self._lengths = sorted({len(suffix), *self._lengths}, reverse=True)
        else:
            self._exact.setdefault(names.domain_of(alias), value)

    def take_over(self, host: str, value: T) -> None:
        """Give a name to another value than the one that it has."""
        self._exact[names.domain_of(host)] = value

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

    def wildcard(self, host: str) -> T | None:
        """Return the value of the longest wildcard, `*` apart, that covers a host."""
        name = names.domain_of(host)
        for length in self._lengths:
            if len(name) > length and name[-length:] in self._suffixes:
                return self._suffixes[name[-length:]]
        return None

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
    services: Sequence[CompiledVirtualService], identity: Identity, clusters: Clusters, gateways: Gateways
) -> tuple[HostTable[VirtualHost], tuple[VirtualHost, ...]]:
    """Return the table of hosts, and the virtual hosts in the order of their first document."""
    by_host: dict[str, list[Claim]] = {}
    for service in services:
        for host in dict.fromkeys(host.lower() for host in service.hosts):
            if not service.gateways or not gateways.known.issuperset(service.gateways):
                by_host.setdefault(host, []).append(Claim(service))
    redirected: dict[str, set[int]] = {}
    for server in gateways.servers:
        for host in server.redirected:
            redirected.setdefault(host, set()).add(server.port)
        for service in services:
            if server.gateway in service.gateways:
                for host in server.claimed([host.lower() for host in service.hosts], service.namespace):
                    by_host.setdefault(host, []).append(Claim(service, server))
                    if server.https_redirect:
                        redirected.setdefault(host, set()).add(server.port)
    made = {
        host: VirtualHost(host, claims, _is_exclusive(claims, identity), redirected.get(host, ()))
        for host, claims in [*by_host.items(), *((host, []) for host in redirected if host not in by_host)]
    }
    table = HostTable(made)
    if not identity.is_gateway:
        _add_aliases(table, made, identity, clusters)
    return table, tuple(made.values())


def _is_exclusive(claims: Sequence[Claim], identity: Identity) -> bool:
    """Whether the first of the services has the host alone: in a sidecar, and where the host is a Service's own."""
    return identity.is_sidecar or any(claim.service.mesh for claim in claims)


def _add_aliases(
    table: HostTable[VirtualHost], made: dict[str, VirtualHost], identity: Identity, clusters: Clusters
) -> None:
    """Add the other names of services whose hosts virtual services claim; a gateway has none of them.

    Source: `generateVirtualHostDomains` (`istio/pilot/pkg/networking/core/httproute.go`). A wildcard claims the
    services that it covers, with all their names, where no virtual service names them (`sidecar.go`,
    `computeWildcardHostVirtualServiceIndex`).
    """
    known = {host.lower(): service for host, service in clusters.services.items()}
    claimed: set[str] = set()
    for host, virtual_host in made.items():
        claimed.add(host)
        for alias in known[host].aliases if host in known else ():
            # Of two virtual services, for an alias and for what it stands for, the first has the name in a sidecar.
            if identity.is_sidecar and alias not in claimed:
                table.take_over(alias, virtual_host)
        for alias in _other_names(host, known.get(host), identity):
            table.add_alias(alias, virtual_host)
    for host, service in known.items():
        if host not in made and (covering := table.wildcard(host)) is not None:
            for alias in _other_names(host, service, identity):
                table.add_alias(alias, covering)


def _other_names(host: str, service: MeshService | None, identity: Identity) -> list[str]:
    """Return the names by which clients reach a host, apart from the host itself."""
    if host.startswith("*"):
        return []
    if service is None:
        return names.aliases(host, identity.namespace, identity.domain)
    found = [f"{host}."]
    for each in (host, *service.aliases):
        found += [each, *names.aliases(each, identity.namespace, identity.domain)]
    if service.headless:
        found += [f"*.{name}" for name in found]
    return [*found, *service.addresses]
