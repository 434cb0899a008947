"""The route table's virtual hosts as an Envoy RouteConfiguration.

Envoy chooses a virtual host by its domain only. Where the table's choice depends on the listener's port, the routes
match the port in Host, because all requests arrive at one listener.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Sequence

from mirror_addon.envoy.actions import NOT_FOUND
from mirror_addon.envoy.actions import Actions
from mirror_addon.envoy.copies import Copies
from mirror_addon.envoy.copies import copied
from mirror_addon.envoy.filters import per_route
from mirror_addon.envoy.matches import NeverMatches
from mirror_addon.envoy.matches import port_matcher
from mirror_addon.envoy.matches import route_match
from mirror_addon.envoy.notes import Notes
from mirror_addon.envoy.route_names import PASSTHROUGH
from mirror_addon.envoy.values import Message
from mirror_addon.envoy.values import duration
from mirror_addon.envoy.values import safe_regex
from mirror_addon.routing.hosts import VirtualHost
from mirror_addon.routing.https_redirect import HttpsRedirect
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.virtual_services import RouteEntry

ROUTES = "mirror_addon"
"""The name of the route configuration."""
_MAX_BODY = 1 << 20
"""Istio's limit for direct responses; Envoy's own is 4096."""
_ANY = {"prefix": ""}


class RouteConfiguration:
    """Translates the hosts of a table."""

    def __init__(
        self, table: RouteTable, actions: Actions, notes: Notes, own_names: Sequence[str], copies: Copies
    ) -> None:
        """`own_names`: authorities that lead back to the listener; the passthrough must not dial them."""
        self._table = table
        self._actions = actions
        self._notes = notes
        self._own_names = own_names
        self._copies = copies

    def message(self) -> Message:
        hosts = [self._virtual_host(host, domains) for host, domains in self._domains()]
        if self._table.hosts.anything is None:
            closed = [_not_found(port) for port in sorted(self._table.gateways.closed)]
            hosts.append({"name": "passthrough", "domains": ["*"], "routes": [*closed, *self._passthrough(0)]})
        complete = {"validate_clusters": False} if self._actions.clusters.incomplete else {}
        return {
            "name": ROUTES,
            **complete,
            "ignore_port_in_host_matching": True,
            "max_direct_response_body_size_bytes": _MAX_BODY,
            "virtual_hosts": hosts,
        }

    def _domains(self) -> Iterator[tuple[VirtualHost, list[str]]]:
        domains: dict[int, list[str]] = {}
        for domain, host in self._table.hosts.items():
            domains.setdefault(id(host), []).append(domain.decode())
        for host in self._table.virtual_hosts:
            if found := domains.get(id(host)):
                yield host, found

    def _virtual_host(self, host: VirtualHost, domains: list[str]) -> Message:
        chain = self._less_specific(host, domains[0])
        message: Message = {"name": host.host, "domains": domains}
        if self._table.identity.mesh_headers:
            message["include_request_attempt_count"] = True
        routes: list[Message] = []
        closed = self._table.gateways.closed
        found = {
            port: next((index for each in chain if (index := each.at(port)) is not None), None)
            for port in (*sorted(_ports(chain) | closed), 0)
        }
        served = [index for index in found.values() if index is not None]
        secure = bool(served) and all(isinstance(index, HttpsRedirect) for index in served)
        secure = secure and all(found[port] is not None for port in closed)
        if secure:
            message["require_tls"] = "ALL"
            self._notes.add(f"{host.host}: httpsRedirect is exported for every port")
        for port, index in found.items():
            if index is None:
                routes += [_not_found(port)] if port in closed else self._passthrough(port)
                continue
            if isinstance(index, HttpsRedirect) and not secure:
                routes += _to_https(port)
            routes += [route for entry in index.entries for route in self._routes(entry, port)]
            if port:
                routes.append(_not_found(port))
        return {**message, "routes": routes}

    def _less_specific(self, host: VirtualHost, domain: str) -> list[VirtualHost]:
        """Return the host and the less specific ones, which claim requests to ports where it has no entries."""
        candidates = self._table.hosts.candidates(domain.replace("*", "x", 1).encode())
        return candidates[candidates.index(host) :]

    def _routes(self, entry: RouteEntry, port: int) -> Iterator[Message]:
        try:
            match = route_match(entry, port)
        except NeverMatches as why:
            self._notes.add(f"{entry} matches no request and is left out: {why}")
            return
        route: Message = {"match": match, **self._actions.action(entry, port)}
        if configs := per_route(entry.route, self._notes):
            route["typed_per_filter_config"] = configs
        yield from self._copies.routes(entry, port, route)

    def _passthrough(self, port: int) -> list[Message]:
        """Return the routes of requests that no rule claims. Without iptables Host is the only known destination."""
        self._notes.add(
            "requests to hosts without a rule are sent to the address in Host, as by a forward proxy; "
            "Envoy changes their X-Forwarded-For and path as it does for routed requests"
        )
        match = _on_port(port)
        action: Message = {"cluster": self._actions.clusters.original(), "timeout": duration(0)}
        passthrough = self._table.passthrough
        route: Message = {"name": PASSTHROUGH, "match": match, "route": action}
        if self._copies.mirrors(passthrough.mirrors, port):
            return [*self._itself(), copied(route)]
        for url in passthrough.urls:
            if url.filter:
                self._notes.add(
                    f"the filter of mirror_to {url.filter} has no counterpart in Envoy: nothing is mirrored there"
                )
        unfiltered = [each for each, url in zip(passthrough.mirrors, passthrough.urls, strict=True) if not url.filter]
        if mirrors := self._actions.mirrors(unfiltered, port):
            action["request_mirror_policies"] = mirrors
        return [*self._itself(), route]

    def _itself(self) -> list[Message]:
        """Return the route of requests to this listener."""
        if not self._own_names:
            return []
        own = safe_regex("|".join(map(re.escape, self._own_names)))
        itself = {"name": ":authority", "string_match": {"safe_regex": own}}
        return [{"name": "this listener", "match": {**_ANY, "headers": [itself]}, **NOT_FOUND}]


def _to_https(port: int) -> list[Message]:
    """Return the redirect of one port. Envoy's route, unlike `require_tls`, would leave out a port 80 in Host."""
    redirect: Message = {"https_redirect": True}
    if port != 80:
        return [{"match": _on_port(port), "redirect": redirect}]
    written = {"name": ":authority", "string_match": {"suffix": ":80"}}
    return [
        {"match": {**_ANY, "headers": [written]}, "redirect": {**redirect, "port_redirect": 80}},
        {"match": _on_port(port), "redirect": redirect},
    ]


def _not_found(port: int) -> Message:
    return {"match": _on_port(port), **NOT_FOUND}


def _on_port(port: int) -> Message:
    return {**_ANY, "headers": [port_matcher(port)]} if port else dict(_ANY)


def _ports(hosts: Sequence[VirtualHost]) -> set[int]:
    """Return the ports that need routes of their own: ports of matches, and ports of services without a fixed one."""
    found: set[int] = set()
    for host in hosts:
        found.update(host.ports)
        for service in host.services:
            for entry in service.entries:
                mirrors = [mirror.target for mirror in entry.route.mirrors]
                for target in (*(destination.target for destination in entry.route.destinations), *mirrors):
                    if target is not None and target.sole is None:
                        found.update(target.ports)
    return found
