"""`mirror.replay`: sends earlier requests to their mirrors again, by the present rules."""

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
from mirror_addon.flows.leaving import leaving_request
from mirror_addon.routing.decision import as_drawn
from mirror_addon.routing.table import RouteTable
from mirror_addon.shadow_flows import metadata as meta
from mirror_addon.shadow_flows.asked_request import asked_request
from mirror_addon.shadow_flows.flow_list import find_flow

if TYPE_CHECKING:
    from mirror_addon.session import Session

_EDITABLE = "method", "authority", "path", "headers"


class Replayer:
    """Makes new shadows of earlier flows.

    A person asks for them, so percentages and a pause do not apply; expiry, methods, limits and the guard against loops
    do. A request that was edited is sent as edited, to the mirrors of the request before the edit: its path may have
    been rewritten, and is not to be routed and rewritten a second time.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def replay(self, chosen: Sequence[mitm_flow.Flow]) -> str:
        """Send shadows of these requests, and return in one line what was done. A shadow stands for its primary."""
        table, writer = self._session.rules.table, self._session.writer
        if table is None or writer is None:
            raise exceptions.CommandError("The mirror has not started; the event log says why")
        if not chosen:
            raise exceptions.CommandError("No flows given; name some, as in mirror.replay @focus")
        shadows = requests = edited = 0
        left_out: Counter[str] = Counter()
        for primary in _primaries(chosen, left_out):
            body = primary.request.raw_content
            if body is None:
                left_out["was streamed, so its body is not kept"] += 1
                continue
            exchange, changed = self._exchange(primary, table)
            sent = writer.replay(primary, exchange, body)
            if not sent:
                skip, mirrors = writer.gate.reason_to_skip, exchange.decision.mirrors
                words = {word for mirror in mirrors if (word := skip(exchange.request, mirror))}
                why = f" ({', '.join(sorted(words))})" if words else ""
                left_out[f"is not mirrored by the present rules{why}"] += 1
                continue
            shadows += sent
            requests += 1
            edited += changed
        sent_of = f"sent {_count(shadows, 'shadow')} of {_count(requests, 'request')}"
        if edited:
            sent_of += f", {edited} of them as edited"
        reasons = (f"{_count(number, 'request')} left out: {why}" for why, number in left_out.items())
        return "; ".join([sent_of, *reasons])

    def _exchange(self, primary: http.HTTPFlow, table: RouteTable) -> tuple[Exchange, bool]:
        """Route a request by the present rules, with all mirrors sampled. Also return whether a person edited it."""
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
        changed_on_its_way = before is not None and before.leaving is not before.decision.request
        if decision.request and (edited or changed_on_its_way):
            # What other addons changed on its way is in the flow, as what a person edited later is.
            was = before.decision.request if before is not None else None
            was = was or heads.read_request(original, address)
            now = leaving_request(primary, None, was)
            changes = {name: getattr(now, name) for name in _EDITABLE if getattr(was, name) != getattr(now, name)}
            decision.request = replace(decision.request, **changes)
        decision.mirrors = tuple(map(as_drawn, decision.mirrors))
        exchange = Exchange(table, asked, draw, decision)
        if before:
            exchange.answer_fields, exchange.answer = before.answer_fields, before.answer
        return exchange, edited


def _primaries(chosen: Sequence[mitm_flow.Flow], left_out: Counter[str]) -> Iterator[http.HTTPFlow]:
    """Yield the primaries of these flows, each once, and count in `left_out` those that have none."""
    seen = set()
    for flow in chosen:
        primary: mitm_flow.Flow | None = flow
        if meta.is_shadow_flow(flow):
            primary = find_flow(meta.text_of(flow, meta.PRIMARY_KEY))
        if primary is None:
            left_out["is a shadow whose primary is no longer in the list"] += 1
        elif not isinstance(primary, http.HTTPFlow):
            left_out["is not HTTP"] += 1
        elif primary.id not in seen:
            seen.add(primary.id)
            yield primary


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
