from __future__ import annotations

import pytest

from mirror_addon.envoy.values import Message
from mirror_addon.envoy.values import duration
from mirror_addon.envoy.values import endpoint_address
from mirror_addon.envoy.values import fraction
from mirror_addon.envoy.values import string_matcher
from mirror_addon.envoy.values import typed
from mirror_addon.istio.resources.messages import Percent
from mirror_addon.istio.resources.virtual_service import StringMatch
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.fractions import from_integer
from mirror_addon.routing.fractions import from_percent


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (1, "1s"), (10.0, "10s"), (0.25, "0.25s"), (1e-9, "0.000000001s"), (3600, "3600s")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (StringMatch(exact="a"), {"exact": "a"}),
        (StringMatch(exact=""), {"exact": ""}),
        (StringMatch(exact="a", prefix="b"), {"prefix": "b"}),
        (StringMatch(prefix=""), None),
        (StringMatch(prefix="b", regex="c"), {"safe_regex": {"regex": "c"}}),
        (StringMatch(regex=""), {"exact": ""}),
        (StringMatch(), None),
    ],
)
def test_string_matcher(match: StringMatch, expected: Message | None) -> None:
    assert string_matcher(match) == expected


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        (Endpoint("::1", 80), {"socket_address": {"address": "::1", "port_value": 80}}),
        (Endpoint("unix:///run/x", 0), {"pipe": {"path": "/run/x"}}),
        (Endpoint("unix:/run/x", 0), {"pipe": {"path": "/run/x"}}),
        (Endpoint("unix:@x", 0), {"pipe": {"path": "@x"}}),
    ],
)
def test_endpoint_address(endpoint: Endpoint, expected: Message) -> None:
    assert endpoint_address(endpoint) == expected


def test_fractions_and_types() -> None:
    assert fraction(from_integer(5)) == {"numerator": 5, "denominator": "HUNDRED"}
    assert fraction(from_percent(Percent(value=0.5))) == {"numerator": 5000, "denominator": "MILLION"}
    assert typed("a.B", x=1) == {"@type": "type.googleapis.com/envoy.a.B", "x": 1}
