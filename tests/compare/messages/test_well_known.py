from __future__ import annotations

from mirror_addon.compare.messages.well_known import time_text
from mirror_addon.compare.messages.well_known import well_known


def test_times() -> None:
    assert time_text(0, 1) == "1970-01-01T00:00:00.000000001Z"
    assert time_text(-62135596800, 0) == "0001-01-01T00:00:00.000000000Z"
    assert well_known("google.protobuf.Timestamp", {"nanos": -1}) == {"nanos": -1}
    assert well_known("google.protobuf.Timestamp", {}) == "1970-01-01T00:00:00.000000000Z"


def test_others() -> None:
    assert well_known("shop.Timestamp", {"seconds": 1}) == {"seconds": 1}
    assert well_known("google.protobuf.Empty", {}) == {}
    assert well_known("google.protobuf.Duration", {"seconds": 1, "7": 2}) == {"seconds": 1, "7": 2}
    assert well_known("google.protobuf.Value", {"null_value": "NULL_VALUE"}) is None
    assert well_known("google.protobuf.Value", {}) is None
    assert well_known("google.protobuf.ListValue", {}) == []
    assert well_known("google.protobuf.BoolValue", {}) is False
