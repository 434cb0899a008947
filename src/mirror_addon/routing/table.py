"""The route table: resources in, decisions out. Pure, and immutable once built but for round-robin turns."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.resources import Spec
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.destinations import Clusters
from mirror_addon.routing.forwarded import with_client
from mirror_addon.routing.hosts import VirtualHost
from mirror_addon.routing.hosts import build_hosts
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.index import Index
from mirror_addon.routing.index import Scan
from mirror_addon.routing.local_replies import local_reply
from mirror_addon.routing.mirror_to import MirrorTo
from mirror_addon.routing.mirror_to import Passthrough
from mirror_addon.routing.normalization import LEVELS
from mirror_addon.routing.paths import path_end
from mirror_addon.routing.subject import Subject
from mirror_addon.routing.virtual_services import compile_virtual_services

__all__ = ["MirrorTo", "RouteTable"]


class RouteTable:
    """Everything that decides what becomes of a request."""

    def __init__(
        self,
        resources: Sequence[Resource[Spec]],
        identity: Identity,
        endpoint_overrides: Mapping[tuple[str, str], Endpoint],
        mirror_to: Sequence[MirrorTo],
    ) -> None:
        self.identity = identity
        self.clusters = Clusters(resources, identity, endpoint_overrides)
        services = compile_virtual_services(resources, identity, self.clusters)
        self.hosts, self.virtual_hosts = build_hosts(services, identity, self.clusters)
        self.passthrough = Passthrough(mirror_to)
        routes = {id(entry.route): entry.route for service in services for entry in service.entries}
        self.mirroring = tuple(route.rule for route in routes.values() if route.mirrors)
        """The rules that have a mirror, the mirror without YAML among them."""
        if self.passthrough.rule is not None:
            self.mirroring += (self.passthrough.rule,)
        self._normalize = LEVELS[identity.path_normalization]
        self._edge = identity.use_remote_address

    @classmethod
    def build(
        cls,
        resources: Sequence[Resource[Spec]],
        identity: Identity,
        *,
        endpoint_overrides: Mapping[tuple[str, str], Endpoint] | None = None,
        mirror_to: Sequence[MirrorTo] = (),
    ) -> RouteTable:
        """Compile resources for this proxy.

        `endpoint_overrides`, by fully qualified host and subset, win over the resources; an empty subset stands for
        every subset without one of its own. Findings never stop it: what a cluster would not route, this does not.
        """
        return cls(resources, identity, endpoint_overrides or {}, mirror_to)

    def route(self, request: Request, draw: int) -> Decision:
        """What becomes of a request. `draw` is its 64-bit random number, which decides all that is left to chance."""
        host = self.hosts.find(request.authority)
        if host is None:
            return self.passthrough.decide(request, draw)
        entries = host.at(request.port)
        if entries is None:
            entries = self._elsewhere(request)
            if entries is None:
                return self.passthrough.decide(request, draw)
        arrived = self.arrived(request)
        target = arrived.path
        end = path_end(target)
        entry = entries.find(Subject(arrived, target[:end]))
        if entry is None:
            return Decision(Action.NOT_FOUND, response=local_reply(arrived, 404))
        return entry.route.decide(entry.match, arrived, target, end, entry.rewrite, draw)

    def arrived(self, request: Request) -> Request:
        """A request as rules see it: its path normalised, its client in X-Forwarded-For."""
        path = self._normalize(request.path)
        headers = with_client(request.headers, request.client if self._edge else b"")
        return Request(request.method, request.scheme, request.authority, path, headers, request.port, request.client)

    def virtual_host(self, request: Request) -> VirtualHost | None:
        """The virtual host that claims a request, None where it passes through."""
        for host in self.hosts.candidates(request.authority):
            if host.at(request.port) is not None:
                return host
        return None

    def _elsewhere(self, request: Request) -> Index | Scan | None:
        """A host whose rules are all for other ports is not claimed: the next wildcard has it."""
        host = self.virtual_host(request)
        return host.at(request.port) if host else None
