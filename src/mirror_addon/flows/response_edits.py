"""The primary's response to what the client gets: the edits of its route, as its head arrives."""

from __future__ import annotations

from mitmproxy import http

from mirror_addon.flows.exchange import Exchange
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.mesh_headers import SERVICE_TIME
from mirror_addon.routing.mesh_headers import SERVICE_TIME_FIELD


def edit_response(flow: http.HTTPFlow, exchange: Exchange, *, from_upstream: bool) -> None:
    """Edit the response's fields. `from_upstream`: the primary sent it, no addon did."""
    response = flow.response
    assert response
    fields: Fields = response.headers.fields
    if exchange.answer_fields is None:
        exchange.answer_fields = fields
    for edit in exchange.decision.response_headers:
        if edit is not SERVICE_TIME:
            fields = edit.apply(fields, response.status_code)
        elif from_upstream:
            fields = _with_service_time(fields, flow.request.timestamp_end, response.timestamp_start)
    response.headers.fields = fields


def _with_service_time(fields: Fields, sent: float | None, began: float) -> Fields:
    """Return the fields with the whole milliseconds from the end of the request to the first byte of the response.

    An upstream's own value is replaced. Where the response came before the end of the request, Envoy leaves the field
    as it is (`Filter::onUpstreamHeaders`).
    """
    if sent is None:
        return fields
    milliseconds = max(0, int((began - sent) * 1000))
    return (*SERVICE_TIME.apply(fields), (SERVICE_TIME_FIELD, b"%d" % milliseconds))
