"""Why a shadow got no complete response: the words of `shadow.error` in a record and of `dropped.*` and `failed.*` in
the counters, with what they mean. The only list of them."""

from __future__ import annotations

DROPPED = {
    "aborted": "the request was not sent: the client closed the connection before, or it was killed",
    "body_too_large": "the request body was longer than mirror_max_body",
    "breaker_open": "the mirror failed repeatedly; only a probe is sent from time to time until it responds again",
    "overload": "the processor could not keep up with what Envoy told it",
    "queue_full": "mirror_queue was full, because the mirror takes fewer requests than it is sent",
    "shutdown": "the proxy was shutting down",
    "slow_upload": "its client was slow to send the body, and other requests needed the connection to the mirror",
    "unsendable": "the request cannot be written as valid HTTP, or this machine had no socket left for it",
    "worker_lost": "the worker process ended; another one was started",
}
"""It was not sent, or given up on this side. In a record, any other word is a failure."""

FAILED = {
    "connect": "nothing listens at the mirror's address, or its certificate was not accepted",
    "timeout": "no complete response within the route's timeout or mirror_timeout",
    "reset": "the mirror closed the connection before its response was complete",
    "protocol": "what the mirror sent is not valid HTTP",
}
