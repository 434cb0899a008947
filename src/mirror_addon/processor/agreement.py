"""Decisions about requests that Envoy has routed already, by the same rules. Pure.

Theory of operation. Behind Envoy the primary is on its way when a request is seen: which route it met and which cluster
it goes to is a fact, not a choice. What is left to decide is what Envoy would have done to the shadow. So

- the route is taken by the name that Envoy tells (`envoy.route_names`). Where it tells none of ours, as with Istio's
  own routes, the rules are asked as for any request;
- the draw is made uniformly among the draws that lead to what was observed: to the cluster, and to the share of the
  requests that Envoy gave to a route. In Envoy one number serves weights and mirrors (`routing.table`), so with weights
  50:50 and `mirrorPercent: 50` the mirrored requests are those of one version; a draw of our own would mix them;
- faults and CORS are left out: their filters stand before the one that told of the request, and let it pass;
- path and X-Forwarded-For are taken as they are: Envoy's connection manager has normalised and appended already.

What Envoy tells and the rules do not have is a sign that other rules are in force there. It is returned as
`Agreed.strange`, for a counter.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import NamedTuple

from mirror_addon.envoy.clusters import ORIGINAL
from mirror_addon.envoy.route_names import NamedRoute
from mirror_addon.envoy.route_names import RouteNames
from mirror_addon.routing.clusters import ORIGINAL_DESTINATION
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.https_redirect import HttpsRedirect
from mirror_addon.routing.lookup import RequestLookup
from mirror_addon.routing.mesh_headers import add_leaving
from mirror_addon.routing.mesh_headers import with_expectations
from mirror_addon.routing.paths import path_end
from mirror_addon.routing.routes import CompiledRoute
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.virtual_services import RouteEntry

INBOUND = "inbound|"
"""How Istio's clusters of a sidecar's own service begin: the request is as the callers' proxies left it."""
_DRAWS = 1 << 64
_TRIES = 64
"""Draws of a share that are made to find one with the observed cluster."""


class Told(NamedTuple):
    """What Envoy said of a request; empty where it said nothing."""

    route: str = ""
    cluster: str = ""


class Agreed(NamedTuple):
    """A decision, and the draw that explains it."""

    decision: Decision
    draw: int
    final: bool
    """False: the cluster was not told, and another one would have made another decision."""
    strange: str = ""
    """`route` or `cluster` where Envoy named one that the rules do not have, else empty."""


class Agreement:
    """Decides by the rules of `table` as the Envoy did that told of a request."""

    def __init__(self, table: RouteTable) -> None:
        self.table = table
        self._names = RouteNames(table)

    def decide(self, request: Request, told: Told, number: int) -> Agreed:
        """Decide about `request`, which is as Envoy's router got it. `number` is a random one of 64 bits."""
        target = request.path
        end = path_end(target)
        named = self._names.find(told.route) if told.route else None
        strange = ""
        if named is not None:
            if named.entry is None:
                return Agreed(self.table.passthrough.decide(request, number), number, True)
            entry = named.entry
        else:
            # Istio's own names say nothing of ours; one like ours is of rules that we do not have.
            strange = "route" if " http[" in told.route or " rules[" in told.route else ""
            found = self._found(request, target, end, number)
            if isinstance(found, Decision):
                return Agreed(found, number, True, strange)
            entry, named = found, NamedRoute(found.route.rule, found)
        route = entry.route
        if route.local is not None:
            return Agreed(route.answered(entry.match, request, number), number, True, strange)
        draw, final, known = _draw(route, request.port, told.cluster, named, number)
        inbound = told.cluster.startswith(INBOUND)
        routed = request
        if self.table.identity.mesh_headers and not inbound:
            routed = replace(request, headers=with_expectations(request.headers, route))
        decision = route.forward(entry.match, routed, target, end, entry.rewrite, draw, ())
        if inbound:
            decision.request = request
        elif routed is not request:
            add_leaving(decision, routed)
        return Agreed(decision, draw, final, strange or ("" if known else "cluster"))

    def _found(self, request: Request, target: bytes, end: int, draw: int) -> RouteEntry | Decision:
        """Return the entry that the rules give a request, or the decision where it meets none."""
        host = self.table.virtual_host(request)
        entries = host.at(request.port) if host is not None else None
        if entries is None:
            return self.table.unclaimed(request, draw)
        entry = entries.find(RequestLookup(request, target[:end]))
        if entry is None:
            return Decision(Action.NOT_FOUND)
        if isinstance(entry, HttpsRedirect):
            return entry.decide(None, request, target, end, None, draw)
        return entry


def _draw(route: CompiledRoute, port: int, cluster: str, named: NamedRoute, number: int) -> tuple[int, bool, bool]:
    """Return a draw by which `route` goes to `cluster`, whether it is final, and whether the route has the cluster."""
    destinations = route.destinations
    drawn = named.draw(number)
    if not cluster or cluster.startswith(INBOUND) or not destinations:
        return drawn, bool(cluster) or len(destinations) < 2, True
    agreeing = [is_named(each.target.at(port), cluster) for each in destinations]
    if not any(agreeing) or all(agreeing):
        return drawn, True, any(agreeing)
    if named.sampled is None:
        return _of_cluster(route, agreeing, number), True, True
    # The share and the weights are remainders of one draw by two numbers.
    more = random.Random(number)
    for _ in range(_TRIES):
        chosen = route.choose(drawn)
        if chosen is not None and agreeing[destinations.index(chosen)]:
            return drawn, True, True
        drawn = named.draw(more.getrandbits(64))
    return _of_cluster(route, agreeing, number), True, True


def _of_cluster(route: CompiledRoute, agreeing: list[bool], number: int) -> int:
    """Make a draw of a random number by which `route` chooses a destination that agrees.

    Each destination owns an interval of the remainders by the sum of weights (`CompiledRoute.choose`). The draw is made
    of two parts of the number: a remainder in the intervals that agree, and a multiple of the sum.
    """
    width = sum(each.weight for each, agrees in zip(route.destinations, agreeing, strict=True) if agrees)
    multiple, offset = number // width % (_DRAWS // route.total), number % width
    low = 0
    for each, agrees in zip(route.destinations, agreeing, strict=True):
        if agrees and offset < each.weight:
            break
        offset -= each.weight if agrees else 0
        low += each.weight
    return multiple * route.total + low + offset


def is_named(cluster: Cluster, name: str) -> bool:
    """Whether Envoy calls `cluster` so, in the export or in Istio.

    The export has port 0 in the name where the rules give no port: one route serves the requests to any.
    """
    if name == cluster.outbound:
        return True
    if name.startswith(ORIGINAL):
        return cluster.resolves_request_host or ORIGINAL_DESTINATION in cluster.endpoints
    kind, _, rest = name.partition("|")
    port, _, rest = rest.partition("|")
    if kind == "missing":
        return rest == f"|{cluster.host}"
    return kind == "outbound" and port == "0" and rest == f"{cluster.subset}|{cluster.host}"
