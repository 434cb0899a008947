from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.envoy.retries import retry_policy
from mirror_addon.istio.resources.virtual_service import HTTPRetry


def test_istios_default() -> None:
    policy = retry_policy(None, hashed=False)
    assert policy is not None
    assert policy["num_retries"] == 2
    assert policy["retry_on"].startswith("connect-failure,refused-stream")
    assert policy["host_selection_retry_max_attempts"] == 5


def test_none() -> None:
    assert retry_policy(HTTPRetry(attempts=0), hashed=False) is None


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
    policy = retry_policy(HTTPRetry(attempts=3, **retries), hashed=False)
    assert policy is not None
    assert policy["num_retries"] == 3
    assert {name: policy[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("retries", "hashed", "other_hosts"),
    [
        (None, False, True),
        (None, True, False),
        ({}, False, True),
        ({}, True, False),
        ({"retry_ignore_previous_hosts": False}, False, False),
        ({"retry_ignore_previous_hosts": True}, True, True),
    ],
)
def test_a_retry_goes_to_another_host_unless_a_hash_chooses_it(
    retries: dict[str, Any] | None, hashed: bool, other_hosts: bool
) -> None:
    policy = retry_policy(None if retries is None else HTTPRetry(attempts=1, **retries), hashed=hashed)
    assert policy is not None
    assert ("retry_host_predicate" in policy) is other_hosts
    assert policy["host_selection_retry_max_attempts"] == 5
