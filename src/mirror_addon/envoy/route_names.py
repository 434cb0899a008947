"""Names of exported routes, and the way back from a name to the rule.

Envoy tells a processor the name of the route that a request took (the attribute `xds.route_name`). A processor that
has the same rules finds the rule by it, without matching the request again. Names are in the order of the rules, so
that equal rules give equal names in every process.

A name is the rule's with the index of the match, `default/reviews http[0] match[1]`. Entries that have these in common
(a delegate of several roots, an HTTPRoute and a GRPCRoute of one name) are numbered from the second on, ` #2`. A
route that takes only the share of requests that its mirrors ask for ends with ` sampled`.
"""

from __future__ import annotations

from dataclasses import dataclass

from mirror_addon.routing.decision import Rule
from mirror_addon.routing.fractions import Fraction
from mirror_addon.routing.routes import CompiledRoute
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.virtual_services import RouteEntry

PASSTHROUGH = "passthrough"
"""The route of requests to hosts that no rule names."""
_SAMPLED = " sampled"


@dataclass(frozen=True, slots=True)
class NamedRoute:
    """What a name stands for."""

    rule: Rule | None
    """None for requests that pass through where there is no `mirror_to`."""
    entry: RouteEntry | None
    """None for requests that pass through."""
    sampled: Fraction | None = None
    """The share of the rule's requests that Envoy gives this route; None: all of them."""

    def draw(self, number: int) -> int:
        """Turn a random 64-bit number into a draw that this route can have had.

        Envoy has made the draw already. Another one for the mirrors would apply their percentage twice.
        """
        if self.sampled is None:
            return number
        whole, rest = divmod(number, self.sampled.denominator)
        return whole * self.sampled.denominator + rest * self.sampled.numerator // self.sampled.denominator


class RouteNames:
    """The names of a table's routes."""

    def __init__(self, table: RouteTable) -> None:
        self._passthrough = NamedRoute(table.passthrough.rule, None)
        self._names: dict[tuple[int, int | None, int], str] = {}
        self._entries: dict[str, RouteEntry] = {}
        for host in table.virtual_hosts:
            for service in host.services:
                for entry in service.entries:
                    if _key(entry) not in self._names:
                        self._add(entry)

    def name(self, entry: RouteEntry) -> str:
        """Return the name of an entry's route."""
        return self._names[_key(entry)]

    def sampled_name(self, entry: RouteEntry) -> str:
        """Return the name of the route that takes the share of an entry's requests which `sampled_share` tells."""
        return self.name(entry) + _SAMPLED

    def find(self, name: str) -> NamedRoute | None:
        """Return what a name stands for; None for a route that is not of this table."""
        if name == PASSTHROUGH:
            return self._passthrough
        if (entry := self._entries.get(name)) is not None:
            return NamedRoute(entry.route.rule, entry)
        entry = self._entries.get(name.removesuffix(_SAMPLED))
        if entry is None or (share := sampled_share(entry.route)) is None:
            return None
        return NamedRoute(entry.route.rule, entry, share)

    def _add(self, entry: RouteEntry) -> None:
        plain = name = str(entry)
        number = 1
        while name in self._entries:
            number += 1
            name = f"{plain} #{number}"
        self._names[_key(entry)] = name
        self._entries[name] = entry


def _key(entry: RouteEntry) -> tuple[int, int | None, int]:
    """Return what decides about a request once an entry is met; a route of several hosts has an entry for each."""
    return id(entry.route), entry.match, id(entry.rewrite)


def sampled_share(route: CompiledRoute) -> Fraction | None:
    """Return the share of a rule's requests outside of which none of its mirrors gets one; None: there is none.

    Fractions of one denominator are contained in each other, because they have the draw's remainder in common. Those of
    two are not, and a share by user (`mirror-addon/sample-by`) does not depend on the draw.
    """
    fractions = [mirror.fraction for mirror in route.mirrors if mirror.fraction.numerator]
    if not fractions or route.sampler is not None or len({each.denominator for each in fractions}) > 1:
        return None
    widest = max(fractions, key=lambda each: each.numerator)
    return widest if widest.numerator < widest.denominator else None
