from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.envoy.retries import retry_policy
from mirror_addon.istio.resources.virtual_service import HTTPRetry


def test_istios_default() -> None:
    policy = retry_policy(None)
    assert policy is not None
    assert policy["num_retries"] == 2
    assert policy["retry_on"].startswith("connect-failure,refused-stream")
    assert policy["host_selection_retry_max_attempts"] == 5


def test_none() -> None:
    assert retry_policy(HTTPRetry(attempts=0)) is None


@pytest.mark.parametrize(
    ("retries", "expected"),
    [
        (
            {"retry_on": "5xx,503, reset"},
            {"retry_on": "5xx,reset,retriable-status-codes", "retriable_status_codes": [503]},
        ),
        (
            {"retry_on": "retriable-status-codes,429"},
            {"retry_on": "retriable-status-codes", "retriable_status_codes": [429]},
        ),
        (
            {"per_try_timeout": "2s", "backoff": "10ms"},
            {"per_try_timeout": "2s", "retry_back_off": {"base_interval": "0.01s"}},
        ),
    ],
)
def test_fields(retries: dict[str, Any], expected: dict[str, Any]) -> None:
    policy = retry_policy(HTTPRetry(attempts=3, **retries))
    assert policy is not None
    assert policy["num_retries"] == 3
    assert {name: policy[name] for name in expected} == expected


def test_previous_hosts_may_be_asked_again() -> None:
    policy = retry_policy(HTTPRetry(attempts=1, retry_ignore_previous_hosts=False))
    assert policy is not None
    assert "retry_host_predicate" not in policy
