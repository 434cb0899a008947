"""Why nothing has been mirrored so far, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from mirror_addon.live_page.state import State
from mirror_addon.routing.trace import RuleView
from mirror_addon.statistics.reasons import REASONS
from mirror_addon.statistics.reasons import parts


def told(parts: list[tuple[str, int]]) -> str:
    """`12 connect (nobody listens there), 3 timeout (...)`."""
    return ", ".join(f"{number} {word} ({REASONS.get(word, word)})" for word, number in parts)


def why_nothing(state: State, mirrored: list[RuleView]) -> list[str]:
    """Why no shadow has been answered so far; empty where one has. `mirrored`: the rules that have mirrors."""
    return [] if state.totals.get("sent", 0) else list(_why(state, mirrored))


def _why(state: State, mirrored: list[RuleView]) -> Iterator[str]:
    totals = state.totals
    if state.mode == "not started":
        yield "The mirror has not started; the event log says why."
        return
    if not mirrored:
        yield "No rule mirrors anything: none has a mirror, and mirror_to names none. Requests are routed, not copied."
    if state.mode == "paused":
        yield "Mirroring is paused: press Resume."
    elif state.mode == "off":
        yield "Mirroring is off: mirror_enabled is false."
    elif state.mode == "expired":
        yield "Mirroring has expired: mirror_expires is over."
    if mirrored and all(mirror.fraction.percent == 0 for view in mirrored for mirror in view.mirrors):
        yield "Every mirror is at 0 percent."
    if not state.requests:
        yield "No request has come through the proxy yet" + (
            f". Send one: curl -x http://{state.addresses[0]} http://HOST/PATH" if state.addresses else "."
        )
        return
    offered = totals.get("offered", 0)
    if not offered:
        skipped = parts(totals, "skipped")
        if skipped:
            yield f"Every shadow was skipped by a rule: {told(skipped)}."
        elif mirrored:
            yield f"None of the {state.requests} requests met a rule that mirrors; mirror.explain tells what they met."
        return
    if pending := totals.get("pending", 0):
        yield f"{pending} on the way: the mirror has not answered yet."
    for kind in ("dropped", "failed"):
        if totals.get(kind, 0):
            yield f"{totals[kind]} of {offered} {kind}: {told(parts(totals, kind))}."
