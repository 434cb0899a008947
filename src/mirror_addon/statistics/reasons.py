"""What the reasons in the counters mean: `failed.connect`, `dropped.queue_full`, `skipped.percent`. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from mirror_addon.compare.reasons import DROPPED
from mirror_addon.compare.reasons import FAILED

REASONS = {
    **DROPPED,
    **FAILED,
    "call": "the primary made it while it handled a mirrored request; the mirror makes its own, in the sandbox",
    "backoff": "the mirror is slower than mirror-addon/max-latency; it gets fewer shadows until it is fast again",
    "expired": "mirroring has expired (mirror_expires or mirror-addon/expires)",
    "inactive": "outside the interval in mirror-addon/active",
    "internal_error": "a fault of mirror_addon, which the log names; the request was not affected",
    "local_reply": "the proxy itself sent the response: a redirect, a fault, a 503, or that of a script",
    "loop": "the mirror is this proxy, or the request is itself a shadow",
    "max_requests": "the number of requests in mirror-addon/max-requests was reached",
    "max_rps": "more requests per second than mirror-addon/max-rps",
    "method": "the method is not in mirror_methods or mirror-addon/methods",
    "no_endpoint": "no address is known for the mirror; mirror-addon check names the line",
    "paused": "mirroring was paused, or mirror_enabled is false",
    "percent": "the request is not in the percentage that the rule mirrors",
    "replay": "the request was replayed in mitmproxy",
    "script": "a script left the shadow out, in mirror_shadow",
    "script_error": "a script failed in mirror_shadow; the log has its error",
    "replaced": "newer differing pairs took the place of this one among those that are sent again",
    "rule_gone": "no rule mirrors this request to that address any more",
    "streamed": "the body was streamed and could no longer be copied",
    "twin": "sent with the mirror's own ids, tokens or cookies in place of the primary's (mirror_twin)",
    "twin_missing": "sent without the mirror's own value for one of the primary's, which was not there in time",
    "upgrade": "the connection was upgraded from HTTP (WebSocket)",
    "when": "the filter in mirror-addon/when did not match",
}
"""By reason. One that is not here is shown by its name alone."""


def parts(counters: Mapping[str, int], kind: str) -> list[tuple[str, int]]:
    """Return the reasons of `failed`, `dropped`, `skipped` or `adapted` with their numbers, most frequent first."""
    prefix = f"{kind}."
    found = [(name.removeprefix(prefix), number) for name, number in counters.items() if name.startswith(prefix)]
    return sorted((each for each in found if each[1]), key=lambda each: (-each[1], each[0]))
