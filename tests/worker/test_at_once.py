from __future__ import annotations

import re
import signal
import time
from typing import NoReturn

import pytest

from mirror_addon.worker.at_once import within


def endless() -> NoReturn:
    while True:
        pass


def endless_with_handlers() -> NoReturn:
    while True:
        try:
            endless()
        except Exception:
            continue


def test_a_quick_call_has_its_result() -> None:
    assert within(1.0, lambda: 7) == 7
    assert signal.getitimer(signal.ITIMER_VIRTUAL)[0] == 0


@pytest.mark.parametrize(
    "call",
    [endless, endless_with_handlers, lambda: re.match(r"(a+)+$", "a" * 60 + "b")],
    ids=["loop", "handlers", "regular expression"],
)
def test_a_slow_call_is_interrupted(call: object) -> None:
    started = time.process_time()
    assert callable(call)
    assert within(0.02, call) is None
    assert time.process_time() - started < 2
    assert signal.getitimer(signal.ITIMER_VIRTUAL)[0] == 0


def test_an_error_is_raised_and_the_timer_is_off() -> None:
    with pytest.raises(ZeroDivisionError):
        within(1.0, lambda: 1 // 0)
    assert signal.getitimer(signal.ITIMER_VIRTUAL)[0] == 0
    signal.raise_signal(signal.SIGVTALRM)  # one that comes too late does nothing
