"""Why nothing has been mirrored so far, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from mirror_addon.live_page.state import State
from mirror_addon.routing.trace import RuleView
from mirror_addon.statistics.reasons import REASONS
from mirror_addon.statistics.reasons import parts

MODES = {
    "paused": "Mirroring is paused: press Resume.",
    "off": "Mirroring is off: mirror_enabled is false.",
    "expired": "Mirroring has expired: the time in mirror_expires is over.",
}


def why_nothing(state: State, mirrored: list[RuleView]) -> list[str]:
    """Return why no shadow has got a response so far; nothing if one has. `mirrored`: the rules that have mirrors."""
    if state.totals.get("sent", 0):
        return []
    if state.mode == "not started":
        return ["The mirror has not started; the event log says why."]
    return [*_by_settings(state, mirrored), *_by_traffic(state, mirrored)]


def _by_settings(state: State, mirrored: list[RuleView]) -> Iterator[str]:
    if not mirrored:
        yield "Nothing is to be mirrored: no rule has a mirror, and mirror_to is not set. Requests are only routed."
    if state.mode in MODES:
        yield MODES[state.mode]
    if mirrored and all(mirror.fraction.percent == 0 for view in mirrored for mirror in view.mirrors):
        yield "Every mirror is at 0 percent."


def _by_traffic(state: State, mirrored: list[RuleView]) -> Iterator[str]:
    totals = state.totals
    offered = totals.get("offered", 0)
    if not state.requests:
        example = f" Send one: curl -x http://{state.addresses[0]} http://HOST/PATH" if state.addresses else ""
        yield f"No request has come through the proxy yet.{example}"
    elif offered:
        if pending := totals.get("pending", 0):
            yield f"{pending} of {offered} pending: the mirror has not responded yet."
        for kind in ("dropped", "failed"):
            if totals.get(kind, 0):
                yield f"{totals[kind]} of {offered} {kind}: {_listed(parts(totals, kind))}."
    elif skipped := parts(totals, "skipped"):
        yield f"Every shadow was skipped: {_listed(skipped)}."
    elif mirrored:
        yield f"None of the {state.requests} requests matched a rule that mirrors; mirror.explain shows why."
        if state.unmatched:
            yield f"No rule names the host or path of {state.unmatched} of them; the event log names the hosts."


def _listed(parts: list[tuple[str, int]]) -> str:
    """Return `12 connect (nothing listens there), 3 timeout (...)`."""
    return ", ".join(f"{number} {reason} ({REASONS.get(reason, reason)})" for reason, number in parts)
