"""`mirror.replay`: requests that came before, sent to their mirrors again, by the rules of now."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mitmproxy import exceptions
from mitmproxy import flow as mitm_flow
from mitmproxy import http

from mirror_addon.flows import heads
from mirror_addon.flows.exchange import Exchange
from mirror_addon.routing.decision import as_drawn
from mirror_addon.routing.table import RouteTable
from mirror_addon.shadow_flows import metadata as meta
from mirror_addon.shadow_flows.asked_request import asked_request
from mirror_addon.shadow_flows.flow_list import find_flow

if TYPE_CHECKING:
    from mirror_addon.session import Session

_EDITABLE = "method", "authority", "path", "headers"


class Replayer:
    """Makes new shadows of flows that came before.

    A person asks for it, so neither percentages nor a pause hold it back; expiry, methods and the guard against loops
    do. A request that was edited since goes out as edited, to where it would go unedited: a path that was rewritten
    once is not routed a second time.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def replay(self, chosen: Sequence[mitm_flow.Flow]) -> str:
        """Send the shadows of these requests; a shadow stands for its primary. Says in one line what was done."""
        table, writer = self._session.rules.table, self._session.writer
        if table is None or writer is None:
            raise exceptions.CommandError("The mirror has not started; the event log says why")
        if not chosen:
            raise exceptions.CommandError("No flows: name some, as in mirror.replay @focus")
        shadows = requests = edited = 0
        left: Counter[str] = Counter()
        for primary in _primaries(chosen, left):
            body = primary.request.raw_content
            if body is None:
                left["was streamed, so its body is not kept"] += 1
                continue
            exchange, changed = self._exchange(primary, table)
            sent = writer.replay(primary, exchange, body)
            if not sent:
                skip, mirrors = writer.gate.reason_to_skip, exchange.decision.mirrors
                words = {word for mirror in mirrors if (word := skip(exchange.request, mirror))}
                why = f" ({', '.join(sorted(words))})" if words else ""
                left[f"is not mirrored by the present rules{why}"] += 1
                continue
            shadows += sent
            requests += 1
            edited += changed
        said = f"sent {_count(shadows, 'shadow')} of {_count(requests, 'request')}"
        if edited:
            said += f", {edited} of them as edited"
        return "; ".join([said, *(f"{_count(number, 'request')} left out: {why}" for why, number in left.items())])

    def _exchange(self, primary: http.HTTPFlow, table: RouteTable) -> tuple[Exchange, bool]:
        """What the present rules make of a request, with all its mirrors drawn; and whether a person edited it."""
        before = self._session.exchanges.get(primary)
        address = self._session.local_address
        original = primary
        if primary.modified():
            original = primary.copy()
            original.revert()
        asked = before.request if before else asked_request(original, address)
        draw = before.draw if before else random.getrandbits(64)
        decision = table.route(asked, draw)
        edited = original.request.data != primary.request.data
        if edited and decision.request:
            was, now = heads.read_request(original, address), heads.read_request(primary, address)
            changes = {name: getattr(now, name) for name in _EDITABLE if getattr(was, name) != getattr(now, name)}
            decision.request = replace(decision.request, **changes)
        decision.mirrors = tuple(map(as_drawn, decision.mirrors))
        exchange = Exchange(table, asked, draw, decision)
        if before:
            exchange.answer_fields = before.answer_fields
        return exchange, edited


def _primaries(chosen: Sequence[mitm_flow.Flow], left: Counter[str]) -> Iterator[http.HTTPFlow]:
    """The primaries of these flows, each once."""
    seen = set()
    for flow in chosen:
        primary: mitm_flow.Flow | None = flow
        if meta.is_shadow_flow(flow):
            primary = find_flow(meta.text_of(flow, meta.PRIMARY_KEY))
        if primary is None:
            left["is a shadow whose primary is not in the list any more"] += 1
        elif not isinstance(primary, http.HTTPFlow):
            left["is not HTTP"] += 1
        elif primary.id not in seen:
            seen.add(primary.id)
            yield primary


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
