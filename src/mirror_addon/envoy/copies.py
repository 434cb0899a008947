"""Which routes show their exchanges to a processor."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator

from mirror_addon.envoy.notes import Notes
from mirror_addon.envoy.processor import FILTER
from mirror_addon.envoy.processor import on
from mirror_addon.envoy.route_names import RouteNames
from mirror_addon.envoy.route_names import sampled_share
from mirror_addon.envoy.values import Message
from mirror_addon.envoy.values import fraction
from mirror_addon.routing.mirrors import MirrorPolicy
from mirror_addon.routing.virtual_services import RouteEntry


class Copies:
    """Names the routes, and turns the processor's filter on where a rule has mirrors."""

    def __init__(self, names: RouteNames, copied: bool, notes: Notes) -> None:
        """`copied`: whether there is a processor."""
        self._names = names
        self._copied = copied
        self._notes = notes

    def routes(self, entry: RouteEntry, port: int, route: Message) -> Iterator[Message]:
        """Yield the routes of an entry, with their names.

        Where its mirrors get a part of the requests only, there are two: the first takes that part, by the draw that
        weights use too, and the other what is left, which costs nothing.
        """
        plain = {"name": self._names.name(entry), **route}
        local = entry.route.local is not None or not entry.route.destinations
        if local or not self.mirrors(entry.route.mirrors, port):
            yield plain
            return
        share = sampled_share(entry.route)
        if share is None:
            yield copied(plain)
            return
        match = {**route["match"], "runtime_fraction": {"default_value": fraction(share)}}
        yield copied({**plain, "name": self._names.sampled_name(entry), "match": match})
        yield plain

    def mirrors(self, policies: Iterable[MirrorPolicy], port: int) -> bool:
        """Whether a processor has a shadow to send for any of these mirrors."""
        if not self._copied:
            return False
        found = False
        for policy in policies:
            cluster = policy.cluster_at(port)
            if policy.fraction.numerator and policy.has_endpoint(cluster):
                found = True
            elif policy.fraction.numerator:
                self._notes.add(f"{cluster.missing or f'mirror {cluster.label}: no endpoint'}; it gets no shadow")
        return found


def copied(route: Message) -> Message:
    """Return a route whose exchanges the processor sees."""
    return {**route, "typed_per_filter_config": {**route.get("typed_per_filter_config", {}), FILTER: on()}}
