"""The text of "Mirror Diff" and of `mirror.diff`: a flow's pairs and how they differ, or why it has none.

Theory of operation. mitmproxy calls `MirrorDiff.lines` in the event loop whenever a person selects the content view of
a flow (`content_view` registers it), so it must return within milliseconds. What takes longer is done elsewhere:

- `mirror_diff` finds the pairs of the flow, and explains flows that have none.
- `comparer` returns the comparison of a pair: the one the worker made when the responses arrived, or, where there is
  none or a response was edited since, a new one. Small bodies are compared at once, others in a child process with a
  time limit. Until that is done the view asks the person to look again.
- `comparing` is that comparison, and the child's program; `bodies` formats the difference of two bodies.
- `text` formats a pair as lines; `requests` lists how the two requests differ, `calls` what both sides called.

All but `mirror_diff` and `comparer` are functions of values, without the session.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mitmproxy import flow as mitm_flow
from mitmproxy import http

from mirror_addon.compare.causes import CALL
from mirror_addon.diff_view import text as diff_text
from mirror_addon.diff_view.text import BLANK
from mirror_addon.diff_view.text import Line
from mirror_addon.flows.heads import is_upgrade
from mirror_addon.processes.job import JobFailed
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.trace import explain
from mirror_addon.rules.live import RULES_GONE
from mirror_addon.shadow_flows import metadata as meta
from mirror_addon.shadow_flows.flow_list import find_flow
from mirror_addon.statistics.reasons import REASONS

if TYPE_CHECKING:
    from mirror_addon.compare.calls import Call
    from mirror_addon.compare.comparison import Comparison
    from mirror_addon.compare.rules import Rules
    from mirror_addon.diff_view.comparer import Comparer
    from mirror_addon.diff_view.comparing import Compared
    from mirror_addon.flows.exchange import Exchange
    from mirror_addon.session import Session

logger = logging.getLogger(__name__)

MAX_SHADOWS = 20
"""Shadows shown for one primary. Replays can make any number."""
MAX_TRACE = 60
"""Lines shown of a decision's trace. Of a longer one, the first ten and the last are shown."""


class MirrorDiff:
    """Makes the text of flows. `lines` never raises, because mitmproxy would show a traceback in place of the view."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._comparer: Comparer | None = None

    def close(self) -> None:
        """Forget the comparisons, and kill the child process that compares."""
        if self._comparer:
            self._comparer.close()

    def _compare(self, primary: http.HTTPFlow, shadow: http.HTTPFlow) -> Compared | None:
        """Return the comparison of a pair; None while it is under way, or without two responses. Raises JobFailed."""
        if not (shadow.response and primary.response):
            return None
        if self._comparer is None:
            from mirror_addon.diff_view.comparer import Comparer  # imports much, and few runs need it

            self._comparer = Comparer(self._rules)
        return self._comparer.compare(primary, shadow, _control_of(primary, shadow))

    def _rules(self, primary: http.HTTPFlow) -> Rules:
        """Return the comparison rules in force, with the paths that the request's own rule ignores."""
        from mirror_addon.compare.rules import DEFAULT_RULES
        from mirror_addon.compare.rules import Rules

        rules = DEFAULT_RULES  # what follows was checked when it was loaded, so it does not raise RulesError
        writer, exchange = self._session.writer, self._session.exchanges.get(primary)
        if writer and writer.comparison_rules:
            rules = Rules.parse(writer.comparison_rules, writer.settings.compare)
        if exchange and exchange.decision.rule and exchange.decision.rule.ignore:
            rules = rules.ignoring(exchange.decision.rule.ignore)
        return replace(rules, descriptors=writer.descriptors) if writer and writer.descriptors else rules

    def lines(self, flow: mitm_flow.Flow | None, *, concise: bool = False) -> list[Line]:
        """Return the text for a primary or a shadow. `concise`: without the requests and the trace."""
        try:
            return [Line(line.style, diff_text.clean(line.text)) for line in self._lines(flow, concise)]
        except Exception as error:  # a flow may be read from any file
            logger.warning("mirror: cannot show the difference", exc_info=True)
            return [Line("error", f"Mirror Diff cannot show this flow: {error!r}; please report it.")]

    def text(self, flows: Sequence[mitm_flow.Flow]) -> str:
        """Return the concise texts of several flows. A shadow is left out where its primary is among them."""
        ids = {id for flow in flows for id in (flow.id, meta.text_of(flow, meta.ID_KEY)) if id}
        shown = [flow for flow in flows if meta.text_of(flow, meta.PRIMARY_KEY) not in ids]
        return "\n\n".join("\n".join(line.text for line in self.lines(flow, concise=True)) for flow in shown)

    def _lines(self, flow: mitm_flow.Flow | None, concise: bool) -> Iterator[Line]:
        if not isinstance(flow, http.HTTPFlow):
            yield Line("text", "Only HTTP requests are mirrored.")
            return
        primary: http.HTTPFlow | None
        if meta.CALL_KEY in flow.metadata:
            primary = None
            yield Line("header", meta.text_of(flow, meta.CALL_KEY))
            yield from _call_lines(meta.read_calls(flow))
        elif meta.is_shadow_flow(flow):
            primary = find_flow(meta.text_of(flow, meta.PRIMARY_KEY))
            yield from self._pair(primary, flow, concise)
        else:
            primary = flow
            shadows = [found for each in meta.texts_of(flow, meta.SHADOWS_KEY) if (found := find_flow(each))]
            shown = shadows[-MAX_SHADOWS:]
            if len(shown) < len(shadows):
                yield Line("text", f"The newest {len(shown)} of {len(shadows)} shadows; open an older one to see it.")
                yield BLANK
            for shadow in shown:
                yield from self._pair(primary, shadow, concise)
                if shadow is not shown[-1]:
                    yield BLANK
            yield from self._without_flow(flow, shadows)
        if primary is not None and not concise:
            yield from self._why(primary)
            yield BLANK
            yield Line("text", f"To send it to its mirrors again: mirror.replay @{primary.id}")

    def _pair(self, primary: http.HTTPFlow | None, shadow: http.HTTPFlow, concise: bool) -> Iterator[Line]:
        if primary is None:
            yield from diff_text.heading(None, shadow, meta.read_comparison(shadow))
            yield Line("text", "Its primary is no longer in this list. This comparison was made when it responded.")
            if kept := meta.read_comparison(shadow):
                yield from diff_text.responses(kept, ())
            return
        compared: Compared | None = None
        failure = ""
        try:
            compared = self._compare(primary, shadow)
        except JobFailed as error:
            failure = f"The bodies were not compared: {error}."
        comparison = compared.comparison if compared else meta.read_comparison(shadow)
        calls = meta.read_calls(shadow)
        if calls and comparison is not None:
            comparison = self._with_calls(comparison, calls, primary)
        yield from diff_text.heading(primary, shadow, comparison)
        if comparison is not None:
            yield from diff_text.findings(comparison, primary)
        yield BLANK
        yield from diff_text.side_by_side(primary, shadow)
        if compared is None and shadow.response and primary.response:
            yield Line("text", failure or diff_text.BEING_COMPARED)
        if comparison is not None:
            yield from diff_text.responses(comparison, compared.body if compared else ())
        yield from _call_lines(calls)
        if kept := meta.read_comparison(shadow):
            yield from diff_text.twin(kept)
        if not concise:
            yield from diff_text.requests(primary, shadow)

    def _with_calls(self, comparison: Comparison, calls: Sequence[Call], primary: http.HTTPFlow) -> Comparison:
        """Add what the calls differ in, if the comparison was made anew and of the responses alone."""
        if any(each.kind == CALL for each in comparison.differences):
            return comparison
        from mirror_addon.compare.calls import with_calls

        method, _, url = diff_text.asked_for(primary).partition(" ")
        return with_calls(comparison, calls, self._rules(primary), method=method, url=url)

    def _without_flow(self, primary: http.HTTPFlow, shadows: list[http.HTTPFlow]) -> Iterator[Line]:
        """Explain the mirrors that have no flow to show."""
        session = self._session
        missing = (each.rpartition(": ") for each in meta.texts_of(primary, meta.MISSING_KEY))
        said = [f"No shadow to {label}: {_in_words(word)}." for label, _, word in missing]
        waiting = session.writer.expected(primary) if session.writer else []
        said += [f"The shadow to {label} is being sent, or waits for the primary's response." for label in waiting]
        named = meta.texts_of(primary, meta.SHADOWS_KEY)
        if (gone := len(named) - len(shadows) - len(waiting)) > 0:
            verb = "is" if gone == 1 else "are"
            said.append(f"{gone} of its {len(named)} shadows {verb} not in this list: removed, or in another file.")
        exchange = session.exchanges.get(primary)
        if exchange is not None:
            said += self._not_mirrored(primary, exchange)
        elif not named and not said:
            said.append(
                "Not mirrored by this proxy, which did not route it: it was read from a file, replayed, or received "
                "before the addon was loaded."
            )
        yield from (Line("text", each) for each in said)

    def _not_mirrored(self, primary: http.HTTPFlow, exchange: Exchange) -> Iterator[str]:
        decision = exchange.decision
        if not decision.mirrors:
            yield (
                f"Not mirrored: {decision.rule} has no mirror." if decision.rule else "Not mirrored: no rule claims it."
            )
        elif not exchange.settled:
            yield "Its shadows have not been sent yet: the request is incomplete, or held for the primary's response."
            return
        for mirror in decision.mirrors:
            handed_over = meta.ID_KEY in primary.metadata and mirror.sampled and not mirror.skipped
            if not handed_over:
                yield f"Not mirrored to {mirror.cluster.label}: {_in_words(self._reason(primary, exchange, mirror))}."

    def _reason(self, primary: http.HTTPFlow, exchange: Exchange, mirror: Mirror) -> str:
        """Return the reason's name in the counters. It is not stored, so it is derived from the present settings; empty
        where they would let the shadow pass."""
        if mirror.skipped or not mirror.sampled:
            return mirror.skipped or "percent"
        if is_upgrade(primary):
            return "upgrade"
        if self._session.writer is None:
            return ""
        return self._session.writer.gate.reason_to_skip(exchange.request, mirror) or ""

    def _why(self, primary: http.HTTPFlow) -> Iterator[Line]:
        yield BLANK
        yield Line("header", "Why here")
        exchange = self._session.exchanges.get(primary)
        if exchange is None:
            yield Line("text", "  The decision is not saved in files, and not kept when the script is reloaded.")
            return
        table = exchange.table
        trace = explain(table, exchange.request, exchange.draw) if table is not None else [RULES_GONE]
        if len(trace) > MAX_TRACE:
            left_out = len(trace) - MAX_TRACE
            trace = [*trace[:10], f"({left_out} lines left out; mirror.explain shows all)", *trace[10 + left_out :]]
        yield from (Line("text", f"  {diff_text.sampled(line)}") for line in trace)


def _call_lines(calls: Sequence[Call]) -> Iterator[Line]:
    if not calls:
        return iter(())
    from mirror_addon.diff_view.calls import call_lines  # imports much, and few runs have calls

    return call_lines(calls)


def _in_words(reason: str) -> str:
    """Return what a reason means, with its name in the counters."""
    if not reason:
        return "held back when the request arrived (a pause, a limit or a filter); mirror.status counts the reasons"
    return f"{REASONS[reason]} ({reason})" if reason in REASONS else reason


def _control_of(primary: http.HTTPFlow, shadow: http.HTTPFlow) -> http.HTTPFlow | None:
    """Return the newest control of a shadow's primary that has a response."""
    if shadow.metadata.get(meta.CONTROL_KEY):
        return None
    found = map(find_flow, reversed(meta.texts_of(primary, meta.SHADOWS_KEY)))
    return next((each for each in found if each and each.metadata.get(meta.CONTROL_KEY) and each.response), None)
