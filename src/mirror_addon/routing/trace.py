"""Descriptions of decisions and of a table, for `mirror.explain` and `mirror.rules`.

A trace is made on demand: it repeats the decision for a request and its draw, testing every rule in order. Routing
itself keeps none, because that would slow down each request.
"""

from __future__ import annotations

from collections.abc import Generator
from collections.abc import Iterator
from dataclasses import dataclass

from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.conditions import text
from mirror_addon.routing.decision import Request
from mirror_addon.routing.decision import Rule
from mirror_addon.routing.fractions import Fraction
from mirror_addon.routing.hosts import HostTable
from mirror_addon.routing.hosts import VirtualHost
from mirror_addon.routing.https_redirect import HttpsRedirect
from mirror_addon.routing.lookup import RequestLookup
from mirror_addon.routing.mirrors import MirrorPolicy
from mirror_addon.routing.paths import path_end
from mirror_addon.routing.routes import CompiledRoute
from mirror_addon.routing.sampling import Sampler
from mirror_addon.routing.sampling import holds
from mirror_addon.routing.sampling import words
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.virtual_services import RouteEntry


def explain(table: RouteTable, request: Request, draw: int, now: float | None = None) -> list[str]:
    """Return one line for each step: host, normalisation, rules with the first condition that failed, draws, mirrors.

    `now`, in seconds since the epoch, decides whether a mirror has expired; with None that is not tested.
    """
    return list(_explain(table, request, draw, now))


def _explain(table: RouteTable, request: Request, draw: int, now: float | None) -> Iterator[str]:
    host = table.virtual_host(request)
    yield from _left_out(table, request)
    if host is None:
        yield f"host {text(request.authority)}: {_unclaimed(table, request)}"
        if request.port in table.gateways.closed:
            return
        chosen = table.passthrough.chosen(request)
        for mirror, url in zip(table.passthrough.mirrors, table.passthrough.urls, strict=True):
            if url.filter:
                verb = "matches" if mirror in chosen else "does not match"
                yield f"mirror {mirror.label}: the request {verb} the filter {url.filter}"
            if mirror not in chosen:
                continue
            yield from _mirror(mirror, request, draw, "method" if request.method == b"CONNECT" else None, None, now)
        return
    yield f"host {text(request.authority)}: virtual host {host.host}"
    arrived = table.arrived(request)
    if arrived.path != request.path:
        yield f"path {text(request.path)} is normalised to {text(arrived.path)}"
    index = host.at(request.port)
    if isinstance(index, HttpsRedirect) and arrived.scheme != b"https":
        yield f"a gateway's server on port {request.port} has httpsRedirect: 301 to https"
        return
    entry = yield from _entries(host, arrived)
    if entry is None:
        yield "no rule matches: 404"
        return
    yield from _outcome(table, entry.route, arrived, draw, now)


def _left_out(table: RouteTable, request: Request) -> Iterator[str]:
    """Yield a line for each virtual service or route that names the request's host and does not apply to this proxy."""
    for item in table.left_out:
        if HostTable(dict.fromkeys(item.hosts, True)).find(request.authority):
            yield f"{item.kind} {item.name}: not used: {item.why}"


def _unclaimed(table: RouteTable, request: Request) -> str:
    """Return what happens to a request that no virtual host claims."""
    gateways, port = table.gateways, request.port
    if port in gateways.closed:
        return f"no rule claims it on port {port} of {', '.join(sorted(gateways.known))}: 404"
    where = ""
    if port in gateways.other_ports:
        where = f" (the gateway does not serve HTTP on port {port})"
    elif gateways.known and port not in gateways.ports:
        served = ", ".join(map(str, sorted(gateways.ports))) or "none"
        where = f" (no server of {', '.join(sorted(gateways.known))} is for port {port}; ports with HTTP: {served})"
    elif ports := {port for host in table.hosts.candidates(request.authority) for port in host.ports}:
        where = f" on port {port}, but on {', '.join(map(str, sorted(ports)))}"
    return f"no rule claims it{where}; the request passes through"


def _entries(host: VirtualHost, request: Request) -> Generator[str, None, RouteEntry | None]:
    """Yield a line for each entry up to the first that matches, and return that one."""
    lookup = RequestLookup(request, request.path[: path_end(request.path)])
    index = host.at(request.port)
    reachable = index.entries if index else ()
    for entry in host.unreachable(request.port):
        yield f"{entry}: not tested: {entry.excluded or _unreachable(entry, request.port)}"
    for entry in reachable:
        failed = _first_failure(entry, lookup)
        if not failed:
            yield f"{entry}: matches: {entry.words()}"
            return entry
        yield f"{entry}: {failed}"
    return None


def _unreachable(entry: RouteEntry, port: int) -> str:
    if entry.port not in (0, port):
        return f"it is for port {entry.port}, the request arrived on {port}"
    return "a rule before it matches everything, or another virtual service has the host"


def _first_failure(entry: RouteEntry, lookup: RequestLookup) -> str:
    if not entry.uri.matches(lookup.path):
        return f"no: {entry.uri.words}, but it is {text(lookup.path)}"
    for condition in entry.conditions:
        if not condition.test(lookup):
            return f"no: {condition.words}, but it {condition.actual(lookup)}"
    return ""


def _outcome(table: RouteTable, route: CompiledRoute, request: Request, draw: int, now: float | None) -> Iterator[str]:
    obstacle = route.obstacle(request.method)
    if route.fault is not None:
        yield from (f"fault: {line}" for line in route.fault.words(draw))
    if route.fault is not None and route.fault.aborts(draw):
        yield "local reply: fault abort"
        obstacle = "local_reply"
    elif route.cors is not None and route.cors.preflight(request) is not None:
        yield "local reply: CORS preflight"
        obstacle = "local_reply"
    elif route.local is not None:
        yield f"local reply: {route.local.words()}"
        obstacle = "local_reply"
    else:
        chosen = route.choose(draw)
        if chosen is None:
            yield "no destination has a weight above zero: 503"
            obstacle = "local_reply"
        else:
            if len(route.destinations) > 1:
                yield f"draw % {route.total} = {draw % route.total} of {_weights(route)}: {chosen.target.label}"
            cluster = chosen.target.at(request.port)
            yield from _origin(table, "destination", cluster)
            if cluster.missing:
                yield f"destination {chosen.target.label}: {route.status_without(cluster)}: {cluster.missing}"
                obstacle = "local_reply"
            else:
                yield f"destination {chosen.target.label}: {_endpoints(cluster)}"
                yield from (f"request header: {word}" for edit in chosen.request for word in edit.words)
    for mirror in route.mirrors:
        yield from _origin(table, "mirror", mirror.cluster_at(request.port))
        yield from _mirror(mirror, request, draw, obstacle, route.sampler, now)
    if route.mirrors and route.rule.annotations is not None:
        yield from route.rule.annotations.words(now)


def _origin(table: RouteTable, what: str, cluster: Cluster) -> Iterator[str]:
    """Yield where a cluster is from, where the documents are of several namespaces."""
    if table.has_namespaces:
        yield from (f"{what} {cluster.label}: {line}" for line in table.clusters.origin(cluster))


def _weights(route: CompiledRoute) -> str:
    return " : ".join(f"{destination.target.label} {destination.weight}" for destination in route.destinations)


def _endpoints(cluster: Cluster) -> str:
    if cluster.resolves_request_host:
        return "the request's own host"
    return ", ".join(map(str, cluster.endpoints)) or "no endpoint"


def _mirror(
    mirror: MirrorPolicy,
    request: Request,
    draw: int,
    obstacle: str | None,
    sampler: Sampler | None,
    now: float | None,
) -> Iterator[str]:
    cluster = mirror.cluster_at(request.port)
    number = sampler.number(request) if sampler is not None else None
    if sampler is None or number is None:
        sampled, drawn = mirror.fraction.includes(draw), mirror.fraction.words(draw)
        if sampler is not None:
            drawn = f"no {sampler.by}, so {drawn}"
    else:
        sampled, drawn = holds(mirror.fraction, number), words(mirror.fraction, number, sampler.by)
    closed = mirror.annotations.closed(now) if mirror.annotations is not None and now is not None else None
    if not sampled:
        yield f"mirror {cluster.label}: not drawn: {drawn}"
    elif obstacle is not None:
        why = "the proxy itself responds" if obstacle == "local_reply" else _unmirrored(request)
        yield f"mirror {cluster.label}: drawn ({drawn}), but skipped: {obstacle}: {why}"
    elif not mirror.has_endpoint(cluster):
        why = cluster.missing or "a shadow has no original destination"
        yield f"mirror {cluster.label}: drawn ({drawn}), but skipped: no_endpoint: {why}"
    elif closed is not None:
        yield f"mirror {cluster.label}: drawn ({drawn}), but skipped: {closed}"
    else:
        yield f"mirror {cluster.label}: drawn: {drawn}, to {_endpoints(cluster)}"
        if mirror.edit is not None:
            yield from (f"mirror {cluster.label}: header of the shadow: {word}" for word in mirror.edit.words)


def _unmirrored(request: Request) -> str:
    if request.method == b"CONNECT":
        return "CONNECT is never mirrored"
    return f"{text(request.method)} is not among mirror-addon/methods"


@dataclass(frozen=True, slots=True)
class MirrorView:
    """A mirror of a listed rule."""

    label: str
    fraction: Fraction
    cluster: Cluster
    filter: str = ""
    """Of `mirror_to`."""

    def __str__(self) -> str:
        where = f" where {self.filter}" if self.filter else ""
        return f"{self.label} {self.fraction} -> {_endpoints(self.cluster)}{where}"


@dataclass(frozen=True, slots=True)
class RuleView:
    """A rule of a table, for a listing."""

    rule: Rule
    hosts: tuple[str, ...]
    matches: tuple[str, ...]
    """Descriptions of its matches."""
    destinations: tuple[str, ...]
    """Descriptions of its destinations, such as `serviceB/v1 90 % -> 127.0.0.1:9001`, or of its local reply."""
    mirrors: tuple[MirrorView, ...]


def rules(table: RouteTable) -> list[RuleView]:
    """Return the rules that apply to this proxy, in the order of virtual services; `mirror_to` comes last."""
    hosts: dict[int, list[str]] = {}
    matches: dict[int, list[str]] = {}
    routes: dict[int, CompiledRoute] = {}
    for host in table.virtual_hosts:
        for service in host.services:
            for entry in service.entries:
                key = id(entry.route)
                routes[key] = entry.route
                for items, value in ((hosts, host.host), (matches, entry.words())):
                    known = items.setdefault(key, [])
                    if value not in known:
                        known.append(value)
    views = [_view(route, hosts[key], matches[key]) for key, route in routes.items()]
    passthrough = table.passthrough
    if passthrough.rule is not None:
        pairs = zip(passthrough.mirrors, passthrough.urls, strict=True)
        mirrors = tuple(MirrorView(each.label, each.fraction, each.any_cluster, url.filter) for each, url in pairs)
        views.append(RuleView(passthrough.rule, ("any other",), ("any path",), ("passes through",), mirrors))
    return views


def _view(route: CompiledRoute, hosts: list[str], matches: list[str]) -> RuleView:
    if route.local is not None:
        destinations = [route.local.words()]
    else:
        destinations = []
        for destination in route.destinations:
            share = "" if len(route.destinations) == 1 else f" {100 * destination.weight / route.total:.4g} %"
            cluster = destination.target.any_port()
            destinations.append(f"{destination.target.label}{share} -> {_endpoints(cluster)}")
    mirrors = tuple(map(_mirror_view, route.mirrors))
    return RuleView(route.rule, tuple(hosts), tuple(matches), tuple(destinations), mirrors)


def _mirror_view(mirror: MirrorPolicy) -> MirrorView:
    return MirrorView(mirror.label, mirror.fraction, mirror.any_cluster)
