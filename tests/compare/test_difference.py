"""A difference, as a value."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError

import pytest

from mirror_addon.compare.difference import Difference


def test_it_counts_by_default() -> None:
    assert Difference("$.a", "value", 1, 2).noise == ""


def test_it_is_a_value() -> None:
    one = Difference("$.a", "missing", [1], None, "ignored", "$.a")
    assert one == Difference("$.a", "missing", [1], None, "ignored", "$.a")
    assert one != Difference("$.a", "missing", [1], None, "", "$.a")
    with pytest.raises(FrozenInstanceError):
        one.noise = ""  # type: ignore[misc]


def test_it_can_be_sent_to_another_process() -> None:
    one = Difference("$.a", "value", {"x": 1}, "y", "id", "$.a")
    assert pickle.loads(pickle.dumps(one)) == one
