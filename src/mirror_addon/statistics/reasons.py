"""The counters' words explained, and why nothing has been mirrored, in sentences. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

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
