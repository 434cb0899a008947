from __future__ import annotations

import pytest

from mirror_addon.processor.local_replies import Origin
from mirror_addon.processor.local_replies import origin_of


@pytest.mark.parametrize(
    ("details", "origin"),
    [
        ("via_upstream", Origin(True)),
        ("", Origin(True)),  # not told
        ("response_timeout", Origin(True, "timeout")),
        ("upstream_per_try_timeout", Origin(True, "timeout")),
        ("upstream_reset_before_response_started{connection_termination}", Origin(True, "reset")),
        (
            "upstream_reset_before_response_started{remote_connection_failure|Connection_refused}",
            Origin(True, "connect"),
        ),
        ("upstream_reset_before_response_started{protocol_error}", Origin(True, "protocol")),
        ("upstream_reset_after_response_started{remote_reset}", Origin(True, "reset")),
        ("route_not_found", Origin(False)),
        ("direct_response", Origin(False)),
        ("no_healthy_upstream", Origin(False)),
        ("cluster_not_found", Origin(False)),
        ("fault_filter_abort", Origin(False)),
        ("rbac_access_denied_matched_policy[none]", Origin(False)),
    ],
)
def test_origins(details: str, origin: Origin) -> None:
    assert origin_of(details) == origin
