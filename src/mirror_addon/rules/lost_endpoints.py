"""Routes and mirrors without any endpoint, and which of them had one before the rules changed.

An edit that takes a mirror its last endpoint (a subset renamed, a label changed, a port removed) looks as if it worked:
the set is valid, and only the counter `skipped.no_endpoint` rises. So it is named when it happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping

from mirror_addon.routing.routes import CompiledRoute
from mirror_addon.routing.table import RouteTable

Missing = Mapping[tuple[str, str, str], str]
"""Why there is no endpoint, by part (`route` or `mirror`), rule and label."""
EFFECTS = {"route": "its requests get a 503", "mirror": "nothing is mirrored there"}


def missing_endpoints(table: RouteTable) -> dict[tuple[str, str, str], str]:
    """Return what has no endpoint, in the order of the rules."""
    found: dict[tuple[str, str, str], str] = {}
    for route in routes_of(table):
        name = str(route.rule)
        if route.local is None:
            for destination in route.destinations:
                cluster = destination.target.any_port()
                if cluster.missing:
                    found["route", name, cluster.label] = cluster.missing
        for mirror in route.mirrors:
            cluster = mirror.any_cluster
            if cluster.missing:
                found["mirror", name, cluster.label] = cluster.missing
    return found


def routes_of(table: RouteTable) -> Iterator[CompiledRoute]:
    """All rules of a table, each once, in the order of hosts."""
    entries = (entry for host in table.virtual_hosts for service in host.services for entry in service.entries)
    yield from {id(entry.route): entry.route for entry in entries}.values()


def lost(before: Missing, after: Missing) -> list[str]:
    """Return a line for each route or mirror that has no endpoint since the change from `before` to `after`."""
    return [
        f"since this change, {name} has no endpoint for its {part} {label}: {EFFECTS[part]}: "
        f"{why.removeprefix(f'no endpoint for {label}: ')}"
        for (part, name, label), why in after.items()
        if (part, name, label) not in before
    ]
