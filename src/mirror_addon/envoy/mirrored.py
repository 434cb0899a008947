"""What of a table is mirrored, for proxies whose routes are not ours: hosts, rules, and where the mirrors are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mirror_addon.envoy.values import Message
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.hosts import VirtualHost
from mirror_addon.routing.routes import CompiledRoute
from mirror_addon.routing.table import RouteTable


def mirroring_routes(table: RouteTable) -> list[CompiledRoute]:
    """Return the routes whose requests may have a shadow, in the order of the rules."""
    found: dict[int, CompiledRoute] = {}
    for host in table.virtual_hosts:
        found |= {id(route): route for route in _routes(host)}
    return list(found.values())


def mirrored_domains(table: RouteTable) -> list[str]:
    """Return the domains of hosts that have a mirror, sorted; wildcards with their `*`."""
    return sorted(domain.decode() for domain, host in table.hosts.items() if any(_routes(host)))


def mirror_clusters(table: RouteTable) -> list[Cluster]:
    """Return the clusters of all mirrors, each once; where one depends on the port, that of one port."""
    found = {}
    for route in mirroring_routes(table):
        for mirror in route.mirrors:
            if mirror.fraction.numerator:
                cluster = mirror.any_cluster
                found[(cluster.host, cluster.port, cluster.subset)] = cluster
    return list(found.values())


def authority_predicate(domains: list[str]) -> Message:
    """Return a matcher's predicate for requests to these domains, with any port, in any case.

    Shadows of our own, whose Host ends with `-shadow`, are none of them.
    """
    if "*" in domains:
        return {"not_matcher": {"single_predicate": _authority(r"(?i).*-shadow(?::[0-9]+)?")}}
    each = "|".join(re.escape(domain).replace(r"\*", ".*") for domain in domains)
    return {"single_predicate": _authority(rf"(?i)(?:{each})(?::[0-9]+)?")}


def _authority(regex: str) -> Message:
    kind = "type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput"
    return {
        "input": {"name": "authority", "typed_config": {"@type": kind, "header_name": ":authority"}},
        "value_match": {"safe_regex": {"google_re2": {}, "regex": regex}},
    }


def _routes(host: VirtualHost) -> Iterator[CompiledRoute]:
    for service in host.services:
        for entry in service.entries:
            route = entry.route
            if not entry.excluded and route.local is None and any(each.fraction.numerator for each in route.mirrors):
                yield route
