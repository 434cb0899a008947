"""Header fields that Envoy itself adds in a mesh: `mirror_proxy_headers=istio`.

Measured with Envoy 1.40 and Istio's settings (`istio/pilot/pkg/networking/util/util.go`, `GetProxyHeaders`). Those that
belong to the connection are there before rules are matched. Envoy's router adds two before the edits of the route,
which may remove them, and those that tell of a rewrite afterwards. `x-request-id` is added where requests are sent,
because it is random, and the time of the upstream where its response arrives (`SERVICE_TIME`).
"""

from __future__ import annotations

from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.header_edits import HeaderEdit
from mirror_addon.routing.routes import CompiledRoute

_INTERNAL = (b"x-envoy-internal", b"true")
_OWN = frozenset(
    b"x-envoy-internal x-envoy-expected-rq-timeout-ms x-envoy-force-trace x-envoy-hedge-on-per-try-timeout "
    b"x-envoy-ip-tags x-envoy-max-retries x-envoy-original-url x-envoy-retriable-header-names "
    b"x-envoy-retriable-status-codes x-envoy-retry-grpc-on x-envoy-retry-on x-envoy-upstream-alt-stat-name "
    b"x-envoy-upstream-rq-per-try-timeout-ms x-envoy-upstream-rq-timeout-alt-response "
    b"x-envoy-upstream-rq-timeout-ms".split()
)
"""What Envoy takes from no client from outside: orders to itself (`ConnectionManagerUtility::cleanInternalHeaders`)."""
_OF_AN_EDGE = _OWN | {
    b"x-forwarded-proto",
    b"x-envoy-external-address",
    b"x-envoy-original-path",
    b"x-envoy-original-host",
    b"x-envoy-decorator-operation",
    b"x-envoy-downstream-service-cluster",
    b"x-envoy-downstream-service-node",
}
"""What an edge does not take from its clients."""
SERVICE_TIME_FIELD = b"x-envoy-upstream-service-time"
SERVICE_TIME = HeaderEdit(frozenset({SERVICE_TIME_FIELD}), (), (), ())
"""Marks the responses that get this field, before all other edits. The value is known where the response arrives."""


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


def with_expectations(fields: Fields, route: CompiledRoute) -> Fields:
    """Return the fields of a request as the edits of its route find them: with its attempt and how long it may take.

    The time is that of one try, if that is shorter than the route's (`FilterUtility::finalTimeout`).
    """
    added = [(b"x-envoy-attempt-count", b"1")]
    whole, retries = route.timeout or 0, route.http.retries
    one = retries.per_try_timeout or 0 if retries is not None and retries.attempts > 0 else 0
    if expected := one if one and (one < whole or not whole) else whole:
        added.append(_expected(expected))
    names = {name for name, _ in added}
    return (*[field for field in fields if field[0].lower() not in names], *added)


def add_leaving(decision: Decision, arrived: Request) -> None:
    """Add what was rewritten to a request that leaves, and SERVICE_TIME.

    Its shadows are internal, and sent once: a router of their own tells them the time of the route, whatever one try of
    the primary may take.
    """
    leaving = decision.request
    if decision.action is not Action.ROUTE or leaving is None:
        return
    decision.response_headers = (SERVICE_TIME, *decision.response_headers)
    added = []
    if leaving.path != arrived.path:
        added.append((b"x-envoy-original-path", arrived.path))
    if leaving.authority != arrived.authority:
        added.append((b"x-envoy-original-host", arrived.authority))
    names = {name for name, _ in added}
    leaving.headers = (*[field for field in leaving.headers if field[0].lower() not in names], *added)
    told: Fields = (_INTERNAL, _expected(decision.timeout)) if decision.timeout else (_INTERNAL,)
    names = {name for name, _ in told}
    for mirror in decision.mirrors:
        own = mirror.edit or HeaderEdit(frozenset(), (), (), ())
        mirror.edit = HeaderEdit(own.dropped | names, (*own.appended, *told), own.joined, own.words)


def _expected(seconds: float) -> tuple[bytes, bytes]:
    return b"x-envoy-expected-rq-timeout-ms", b"%d" % round(seconds * 1000)
