"""The response of one upstream, as a value."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError

import pytest

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.answer import clock_of

RESPONSE = Answer(200, ((b"Content-Type", b"text/plain"),), b"ab", 5, 1.5, "reset")


def test_a_response_that_never_came_has_only_its_error() -> None:
    missing = Answer(None, error="connect")
    assert (missing.headers, missing.body, missing.bytes, missing.ms) == ((), None, 0, None)


def test_it_is_a_value() -> None:
    assert Answer(200, ((b"Content-Type", b"text/plain"),), b"ab", 5, 1.5, "reset") == RESPONSE
    assert len({RESPONSE, Answer(200)}) == 2
    with pytest.raises(FrozenInstanceError):
        RESPONSE.status = 500  # type: ignore[misc]


def test_it_can_be_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(RESPONSE)) == RESPONSE


def test_how_a_time_was_taken() -> None:
    assert clock_of(10.0, 0.0, True) == "socket"
    assert clock_of(10.0, 0.5, True) == "socket", "five per cent"
    assert clock_of(10.0, 0.6, True) == "reader"
    assert clock_of(1.0, 0.25, True) == "socket"
    assert clock_of(1.0, 0.26, True) == "reader"
    assert clock_of(10.0, 0.0, False) == "program"
