"""Redirects and direct responses: routes to which the proxy itself responds.

Sources: `route.go` (`ApplyRedirect`, `ApplyDirectResponse`), Envoy's RedirectAction and DirectResponseAction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mirror_addon.gateway_api.translation import PathRedirect
from mirror_addon.istio.resources.virtual_service import HTTPDirectResponse
from mirror_addon.istio.resources.virtual_service import HTTPRedirect
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import LocalResponse
from mirror_addon.routing.decision import Request
from mirror_addon.routing.header_edits import HeaderEdit
from mirror_addon.routing.local_replies import local_reply
from mirror_addon.routing.names import without_port
from mirror_addon.routing.uris import Rewrite
from mirror_addon.routing.uris import Uri
from mirror_addon.routing.uris import replaced
from mirror_addon.routing.uris import substituted

_CODES = (301, 302, 303, 307, 308)
_DEFAULT_PORTS = {b"http": 80, b"https": 443}


@dataclass(frozen=True, slots=True)
class Redirect:
    """A compiled redirect. An empty member means the request's own."""

    code: int
    scheme: bytes
    authority: bytes
    port: int
    port_of_request: bool
    path: bytes

    action = Action.REDIRECT

    def reply(self, request: Request, target: bytes, edits: Sequence[HeaderEdit]) -> LocalResponse:
        """Return the response. `target` is the request's after `prefixRewrite`; `edits` are the route's."""
        scheme = self.scheme or request.scheme
        port = request.port if self.port_of_request else self.port
        if port == _DEFAULT_PORTS.get(scheme):
            port = 0
        host = self.authority
        if not host:
            host = request.authority
            own = without_port(host)
            default = b":%d" % _DEFAULT_PORTS.get(request.scheme, 0)
            if port or (scheme != request.scheme and host[len(own) :] == default):
                host = own
        if self.path:
            target = self.path if b"?" in self.path else self.path + b"".join(target.partition(b"?")[1:])
        location = b"%s://%s%s%s" % (scheme, host, b":%d" % port if port else b"", target)
        return local_reply(request, self.code, b"", ((b"location", location),), edits)

    def words(self) -> str:
        return f"redirect with {self.code}"


@dataclass(frozen=True, slots=True)
class DirectResponse:
    """A fixed response."""

    status: int
    body: bytes

    action = Action.DIRECT_RESPONSE

    def reply(self, request: Request, target: bytes, edits: Sequence[HeaderEdit]) -> LocalResponse:
        # Envoy's router adds Location to these statuses, with the request's own URL.
        located = self.status == 201 or 300 <= self.status < 400
        location = ((b"location", b"%s://%s%s" % (request.scheme, request.authority, target)),) if located else ()
        return local_reply(request, self.status, self.body, location, edits)

    def words(self) -> str:
        return f"direct response {self.status}"


@dataclass(frozen=True, slots=True)
class NoAction:
    """A route without an action that Envoy knows, such as a redirect with 304. The response is a 404 here."""

    action = Action.NOT_FOUND

    def reply(self, request: Request, target: bytes, edits: Sequence[HeaderEdit]) -> LocalResponse:
        return local_reply(request, 404)

    def words(self) -> str:
        return "no action that Envoy knows"


Local = Redirect | DirectResponse | NoAction


def compile_redirect(redirect: HTTPRedirect) -> Local:
    code = redirect.redirect_code or 301
    if code not in _CODES:
        return NoAction()
    return Redirect(
        code=code,
        scheme=redirect.scheme.encode(),
        authority=redirect.authority.encode(),
        port=redirect.port or 0,
        port_of_request=redirect.derive_port == "FROM_REQUEST_PORT",
        path=redirect.uri.encode() if not redirect.prefix_rewrite else b"",
    )


def redirect_rewrite(uri: Uri, redirect: HTTPRedirect | None) -> Rewrite | None:
    """Return how a redirect's `prefixRewrite` changes the target; None where it has none."""
    if isinstance(redirect, PathRedirect) and redirect.regex_rewrite is not None:
        return substituted(redirect.regex_rewrite)
    return replaced(uri, redirect.prefix_rewrite) if redirect and redirect.prefix_rewrite else None


def compile_direct_response(response: HTTPDirectResponse) -> Local:
    body = b""
    if response.body is not None:
        body = response.body.bytes if response.body.bytes is not None else (response.body.string or "").encode()
    return DirectResponse(response.status, body)
