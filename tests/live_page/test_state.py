"""What the page knows of a session."""

from __future__ import annotations

import dataclasses
import time

import pytest

from mirror_addon.live_page.state import not_started
from mirror_addon.live_page.view import ViewMaker


def test_before_the_start_there_is_nothing_to_show() -> None:
    before = time.time()
    state = not_started()
    assert before <= state.now <= time.time()
    assert ViewMaker().view(state).as_dict() | {"time": "", "why_nothing": []} == {
        "version": 1,
        "time": "",
        "state": "not started",
        "why_nothing": [],
        "problem": "",
        "expires": None,
        "overrides": [],
        "backoffs": [],
        "compared_since": None,
        "rules": [],
        "counters": {"requests": 0, "unmatched": 0},
        "targets": {},
        "routes": [],
        "findings": [],
        "differing": [],
        "reruns": [],
        "engine": {},
    }


def test_a_state_cannot_be_changed_while_it_is_rendered() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        not_started().requests = 1  # type: ignore[misc]
