"""Retry policies with Istio's defaults (`istio/pilot/pkg/networking/core/route/retry/retry.go`)."""

from __future__ import annotations

from mirror_addon.envoy.values import Message
from mirror_addon.envoy.values import duration
from mirror_addon.envoy.values import typed
from mirror_addon.istio.resources.virtual_service import HTTPRetry

_ATTEMPTS = 2
_RETRY_ON = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
_STATUS_CODES = "retriable-status-codes"
_HOST_SELECTION_ATTEMPTS = 5


def retry_policy(retries: HTTPRetry | None, *, hashed: bool) -> Message | None:
    """Return a route's RetryPolicy; None where retries are off. Without `retries` it is Istio's default.

    `hashed`: a consistent hash chooses the host, which a retry then keeps unless `retries` says otherwise.
    """
    policy: Message = {
        "retry_on": _RETRY_ON,
        "num_retries": _ATTEMPTS,
        "host_selection_retry_max_attempts": _HOST_SELECTION_ATTEMPTS,
    }
    if retries is None:
        return policy if hashed else policy | _other_hosts()
    if retries.attempts <= 0:
        return None
    policy["num_retries"] = retries.attempts
    if retries.retry_on:
        policy |= _conditions(retries.retry_on)
    if retries.per_try_timeout:
        policy["per_try_timeout"] = duration(retries.per_try_timeout)
    if retries.backoff:
        policy["retry_back_off"] = {"base_interval": duration(retries.backoff)}
    ignored = retries.retry_ignore_previous_hosts
    if ignored or (ignored is None and not hashed):
        policy |= _other_hosts()
    if retries.retry_remote_localities:
        policy["retry_priority"] = {
            "name": "envoy.retry_priorities.previous_priorities",
            "typed_config": typed(
                "extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig", update_frequency=2
            ),
        }
    return policy


def _conditions(retry_on: str) -> Message:
    """Return the conditions. Status codes among them have a field of their own, as in Istio."""
    names, codes = [], []
    for item in filter(None, map(str.strip, retry_on.split(","))):
        if item.isdecimal() and 100 <= int(item) < 600:
            codes.append(int(item))
        else:
            names.append(item)
    if codes and _STATUS_CODES not in names:
        names.append(_STATUS_CODES)
    fields: Message = {"retry_on": ",".join(names)}
    return fields | {"retriable_status_codes": codes} if codes else fields


def _other_hosts() -> Message:
    return {
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": typed("extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"),
            }
        ],
    }
