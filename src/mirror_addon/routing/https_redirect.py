"""Gateway servers with `tls.httpsRedirect`: requests over plain HTTP get a 301 to https.

Istio sets `require_tls: ALL` for such a virtual host (`istio/pilot/pkg/networking/core/gateway.go`). Envoy then
redirects before it looks at the routes (`VirtualHostImpl::getRouteFromEntries`, `Utility::createSslRedirectPath`).
"""

from __future__ import annotations

from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.index import Index
from mirror_addon.routing.index import Scan
from mirror_addon.routing.local_replies import local_reply
from mirror_addon.routing.lookup import RequestLookup
from mirror_addon.routing.uris import Rewrite
from mirror_addon.routing.virtual_services import RouteEntry


class HttpsRedirect:
    """The entries of a host at a port, behind a redirect. For a request that is redirected it is the entry itself."""

    __slots__ = ("_index", "entries")

    match = None
    rewrite = None

    def __init__(self, index: Index | Scan | None) -> None:
        """`index`: the entries for https, None where no virtual service claims the host."""
        self.entries: tuple[RouteEntry, ...] = index.entries if index is not None else ()
        self._index = index

    @property
    def route(self) -> HttpsRedirect:
        return self

    def find(self, lookup: RequestLookup) -> RouteEntry | HttpsRedirect | None:
        """Return what a request meets first; None where that is nothing."""
        if lookup.request.scheme != b"https":
            return self
        return self._index.find(lookup) if self._index is not None else None

    def decide(
        self, match: int | None, request: Request, target: bytes, path_end: int, rewrite: Rewrite | None, draw: int
    ) -> Decision:
        """Redirect `request`, whose normalised path with its query is `target`. The rest is as in `CompiledRoute`."""
        location = b"https://" + request.authority + target
        return Decision(Action.REDIRECT, response=local_reply(request, 301, b"", ((b"location", location),)))
