"""Matches as Istio's match message, and the order in which matches of all routes are tried.

Source: istio `pilot/pkg/config/kube/gateway/conversion.go`, `createURIMatch`, `createGRPCURIMatch`, `sortHTTPRoutes`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mirror_addon.gateway_api.resources.grpc_route import GRPCHeaderMatch
from mirror_addon.gateway_api.resources.grpc_route import GRPCMethodMatch
from mirror_addon.gateway_api.resources.grpc_route import GRPCRouteMatch
from mirror_addon.gateway_api.resources.http_route import HTTPHeaderMatch
from mirror_addon.gateway_api.resources.http_route import HTTPPathMatch
from mirror_addon.gateway_api.resources.http_route import HTTPQueryParamMatch
from mirror_addon.gateway_api.resources.http_route import HTTPRouteMatch
from mirror_addon.istio.resources.virtual_service import HTTPMatchRequest
from mirror_addon.istio.resources.virtual_service import StringMatch

Rank = tuple[bool, int, int, bool, int, int]


def match_request(match: HTTPRouteMatch | GRPCRouteMatch | None) -> HTTPMatchRequest | None:
    """Return a match as Istio's message; None for a rule without matches. A prefix in it is one of whole elements."""
    if match is None:
        return None
    if isinstance(match, GRPCRouteMatch):
        uri = None if match.method is None else _grpc_uri(match.method)
        return HTTPMatchRequest(uri=uri, headers=_first_of_name(match.headers))
    return HTTPMatchRequest(
        uri=_uri(match.path),
        method=None if match.method is None else StringMatch(exact=match.method),
        headers=_first_of_name(match.headers),
        query_params={item.name: _value(item) for item in reversed(match.query_params)},
    )


def rank(match: HTTPMatchRequest | None) -> Rank:
    """Return the sort key of a match: the smallest is tried first.

    Exact paths, then prefixes, then regular expressions; the longest of each; then those with a method, with the most
    headers, with the most query parameters. Where the keys are equal, the order of routes and rules decides.
    """
    if match is None:
        return (True, 0, 0, False, 0, 0)
    uri = match.uri
    if uri is None:
        kind, length = 4, 0
    elif uri.exact is not None:
        kind, length = 1, len(uri.exact.encode())
    elif uri.prefix is not None:
        kind, length = 2, len(uri.prefix.encode())
    else:
        kind, length = 3, len((uri.regex or "").encode())
    return (False, kind, -length, match.method is None, -len(match.headers), -len(match.query_params))


def oldest_first(resource: Any) -> tuple[str, str, str]:
    """Return the sort key of a route among others: creation time, then namespace, then name."""
    return (resource.creation_timestamp, resource.namespace, resource.name)


def _uri(path: HTTPPathMatch) -> StringMatch:
    match path.type:
        case "Exact":
            return StringMatch(exact=path.value)
        case "RegularExpression":
            return StringMatch(regex=path.value)
    return StringMatch(prefix=path.value.removesuffix("/") or "/")


def _grpc_uri(method: GRPCMethodMatch) -> StringMatch | None:
    service, name = method.service, method.method
    if service is None and name is None:
        return None
    if service is None:
        return StringMatch(regex=f"/[^/]+/{name}")
    if method.type == "RegularExpression":
        return StringMatch(regex=f"/{service}/{name}" if name is not None else f"/{service}/.+")
    return StringMatch(exact=f"/{service}/{name}") if name is not None else StringMatch(prefix=f"/{service}/")


def _value(item: HTTPHeaderMatch | HTTPQueryParamMatch | GRPCHeaderMatch) -> StringMatch:
    return StringMatch(regex=item.value) if item.type == "RegularExpression" else StringMatch(exact=item.value)


def _first_of_name(headers: Iterable[HTTPHeaderMatch | GRPCHeaderMatch]) -> dict[str, StringMatch]:
    """Return headers by name; of names that are equal without case the first counts, as the API says."""
    found: dict[str, StringMatch] = {}
    for item in headers:
        found.setdefault(item.name.lower(), _value(item))
    return found
