"""Delegates: a root route's `delegate` is replaced by the routes of the virtual service it names.

The merge is that of Istio's `mergeHTTPRoute` and `mergeHTTPMatchRequests` (`istio/pilot/pkg/model/virtualservice.go`).
"""

from __future__ import annotations

from typing import Any

from mirror_addon.istio.resources.virtual_service import Destination
from mirror_addon.istio.resources.virtual_service import HTTPMatchRequest
from mirror_addon.istio.resources.virtual_service import HTTPRoute
from mirror_addon.istio.resources.virtual_service import StringMatch
from mirror_addon.routing import names

Matches = tuple[tuple[HTTPMatchRequest, int | None], ...]
"""Matches, each with its index in the rule's own document; None where that document has no such match."""

_INHERITED = (
    "rewrite", "direct_response", "timeout", "retries", "fault", "mirror_percent", "mirror_percentage", "cors_policy",
    "headers",
)  # fmt: skip


def numbered(http: HTTPRoute) -> Matches:
    """Return a route's own matches."""
    return tuple((match, index) for index, match in enumerate(http.match))


def merge_route(
    root: HTTPRoute, delegate: HTTPRoute, root_namespace: str, namespace: str, domain: str
) -> tuple[HTTPRoute, Matches] | None:
    """Return a delegate's route, in `namespace`, completed by the root's; None where their matches exclude each other.

    Gateways that a match names, and the hosts of the root's mirrors, have their full names afterwards.
    """
    matches = _merge_matches(_own_matches(root, root_namespace), _own_matches(delegate, namespace))
    if matches is None:
        return None
    update: dict[str, Any] = {name: getattr(root, name) for name in _INHERITED if getattr(delegate, name) is None}
    if delegate.mirror is None and root.mirror is not None:
        update["mirror"] = _resolved(root.mirror, root_namespace, domain)
    if not delegate.mirrors:
        update["mirrors"] = tuple(
            policy.model_copy(
                update={"destination": policy.destination and _resolved(policy.destination, root_namespace, domain)}
            )
            for policy in root.mirrors
        )
    update["name"] = "-".join(name for name in (root.name, delegate.name) if name)
    return delegate.model_copy(update=update), matches


def _resolved(destination: Destination, namespace: str, domain: str) -> Destination:
    """Return the destination with a full name: a short name belongs to the namespace of its own document."""
    return destination.model_copy(update={"host": names.qualified(destination.host, namespace, domain)})


def _own_matches(http: HTTPRoute, namespace: str) -> tuple[HTTPMatchRequest, ...]:
    return tuple(
        match.model_copy(update={"gateways": tuple(names.gateway(name, namespace) for name in match.gateways)})
        for match in http.match
    )


def _merge_matches(root: tuple[HTTPMatchRequest, ...], delegate: tuple[HTTPMatchRequest, ...]) -> Matches | None:
    if not root:
        return tuple((match, index) for index, match in enumerate(delegate))
    if not delegate:
        return tuple((match, None) for match in root)
    merged = []
    for index, match in enumerate(delegate):
        compatible = [outer for outer in root if not _conflict(outer, match)]
        if not compatible:
            return None
        merged += [(_merge_match(outer, match), index) for outer in compatible]
    return tuple(merged)


def _merge_match(root: HTTPMatchRequest, delegate: HTTPMatchRequest) -> HTTPMatchRequest:
    update: dict[str, Any] = {
        name: getattr(root, name)
        for name in ("uri", "scheme", "method", "authority")
        if getattr(delegate, name) is None
    }
    update |= {
        name: getattr(root, name)
        for name in ("port", "gateways", "source_namespace", "stat_prefix")
        if not getattr(delegate, name)
    }
    update |= {
        name: {**getattr(root, name), **getattr(delegate, name)}
        for name in ("headers", "without_headers", "query_params", "source_labels")
    }
    update["name"] = "-".join(name for name in (root.name, delegate.name) if name)
    return delegate.model_copy(update=update)


def _conflict(root: HTTPMatchRequest, delegate: HTTPMatchRequest) -> bool:
    pairs: list[tuple[StringMatch | None, StringMatch | None]] = [
        (root.uri, delegate.uri),
        (root.scheme, delegate.scheme),
        (root.method, delegate.method),
        (root.authority, delegate.authority),
    ]
    for outer, inner in (
        (root.headers, delegate.headers),
        (root.without_headers, delegate.without_headers),
        (root.query_params, delegate.query_params),
    ):
        pairs += [(outer.get(name), match) for name, match in inner.items()]
    labels = root.source_labels
    return (
        any(_strings_conflict(outer, inner) for outer, inner in pairs)
        or root.ignore_uri_case != delegate.ignore_uri_case
        or bool(root.port and delegate.port and root.port != delegate.port)
        or bool(root.source_namespace and delegate.source_namespace != root.source_namespace)
        or any(labels.get(name, value) != value for name, value in delegate.source_labels.items())
        or bool(
            root.gateways
            and (len(delegate.gateways) > len(root.gateways) or set(delegate.gateways) - set(root.gateways))
        )
    )


def _strings_conflict(root: StringMatch | None, delegate: StringMatch | None) -> bool:
    """Whether the delegate's condition is not narrower than the root's."""
    if root is None or delegate is None:
        return False
    if (root.regex and (delegate.regex or delegate.prefix or delegate.exact)) or (
        delegate.regex and (root.prefix or root.exact)
    ):
        return True
    if root.exact:
        return delegate.exact != root.exact
    # A root that requires a presence only, or a delegate that does, is no narrower condition either.
    own = delegate.prefix or delegate.exact
    return not (root.prefix and own and own.startswith(root.prefix))
