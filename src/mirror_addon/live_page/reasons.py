"""The counters' words explained, and why nothing has been mirrored, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mirror_addon.routing.trace import RuleView

if TYPE_CHECKING:
    from mirror_addon.live_page.state import State

REASONS = {
    "aborted": "the client went before its request was complete",
    "body_too_large": "the request's body was longer than mirror_max_body",
    "breaker_open": "the mirror failed again and again; it is tried once in a while until it answers",
    "queue_full": "more waited than mirror_queue holds: the mirror takes less than it is sent",
    "shutdown": "the proxy was about to end",
    "unsendable": "the request cannot be said in HTTP by a client that keeps to the rules",
    "worker_lost": "the process that sends shadows ended; another took its place",
    "connect": "nobody listens there, or its certificate is not accepted",
    "timeout": "no complete answer within the route's timeout or mirror_timeout",
    "reset": "the mirror closed the connection before its answer was complete",
    "protocol": "what the mirror sent is not HTTP",
    "backoff": "the mirror answers more slowly than mirror-addon/max-latency; it gets less until it is quick again",
    "expired": "the mirror's time is over (mirror_expires, or mirror-addon/expires)",
    "inactive": "outside the window of mirror-addon/active",
    "local_reply": "the request was answered here: a redirect, a fault, a 503",
    "loop": "the mirror is this proxy, or the request was a shadow itself",
    "max_requests": "the number in mirror-addon/max-requests has been collected",
    "max_rps": "more requests a second than mirror-addon/max-rps",
    "method": "the method is not one of mirror_methods, or of mirror-addon/methods",
    "no_endpoint": "no address is known for the mirror; mirror-addon check names the line",
    "paused": "mirroring was paused, or mirror_enabled is false",
    "percent": "the draw fell outside the percentage of the rule",
    "replay": "the request was replayed from mitmproxy",
    "streamed": "the body passed in pieces and could not be copied any more",
    "upgrade": "the request leaves HTTP (WebSocket)",
    "when": "the filter in mirror-addon/when does not hold",
}
"""What a reason's word means. A word that is not here stands for itself."""


def parts(counters: dict[str, int], kind: str) -> list[tuple[str, int]]:
    """The reasons of `failed`, `dropped` or `skipped`, most frequent first."""
    prefix = f"{kind}."
    found = [(name.removeprefix(prefix), number) for name, number in counters.items() if name.startswith(prefix)]
    return sorted((each for each in found if each[1]), key=lambda each: (-each[1], each[0]))


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
