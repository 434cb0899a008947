"""Header fields that Envoy itself adds in a mesh: `mirror_proxy_headers=istio`.

Measured with Envoy 1.40 and Istio's settings (`istio/pilot/pkg/networking/util/util.go`, `GetProxyHeaders`). Those that
belong to the connection are there before rules are matched, those of the route afterwards. `x-request-id` is added
where requests are sent, because it is random.
"""

from __future__ import annotations

from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.header_edits import HeaderEdit

_INTERNAL = (b"x-envoy-internal", b"true")
_OWN = frozenset({b"x-envoy-internal"})
_OF_AN_EDGE = _OWN | {
    b"x-forwarded-proto",
    b"x-envoy-external-address",
    b"x-envoy-original-path",
    b"x-envoy-original-host",
    b"x-envoy-decorator-operation",
    b"x-envoy-downstream-service-cluster",
    b"x-envoy-downstream-service-node",
    b"x-envoy-expected-rq-timeout-ms",
}
"""What an edge does not take from its clients."""


def with_received(request: Request, fields: Fields, edge: bool) -> Fields:
    """Return the fields of a request as they are matched: with `x-forwarded-proto` and the client's address."""
    dropped = _OF_AN_EDGE if edge else _OWN
    fields = tuple([field for field in fields if field[0].lower() not in dropped])
    if edge or not any(name.lower() == b"x-forwarded-proto" for name, _ in fields):
        fields = (*fields, (b"x-forwarded-proto", request.scheme))
    client = request.facts.peer[0].encode() if request.facts is not None else request.client
    if edge and client:
        fields = (*fields, (b"x-envoy-external-address", client))
    return fields


def add_leaving(decision: Decision, arrived: Request) -> None:
    """Add what the router tells of the route to a request that leaves, and to its shadows that they are internal."""
    leaving = decision.request
    if decision.action is not Action.ROUTE or leaving is None:
        return
    added = [(b"x-envoy-attempt-count", b"1")]
    if leaving.path != arrived.path:
        added.append((b"x-envoy-original-path", arrived.path))
    if leaving.authority != arrived.authority:
        added.append((b"x-envoy-original-host", arrived.authority))
    names = {name for name, _ in added}
    leaving.headers = (*[field for field in leaving.headers if field[0].lower() not in names], *added)
    for mirror in decision.mirrors:
        own = mirror.edit or HeaderEdit(frozenset(), (), (), ())
        mirror.edit = HeaderEdit(own.dropped | {_INTERNAL[0]}, (*own.appended, _INTERNAL), own.joined, own.words)
