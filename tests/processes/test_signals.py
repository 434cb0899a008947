from __future__ import annotations

import os
import signal

import pytest
from enginetools import until

from mirror_addon.processes.signals import stop_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_every_signal_is_a_call_within_the_block(number: signal.Signals) -> None:
    calls: list[int] = []
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals(lambda: calls.append(1)):
        for count in (1, 2):
            os.kill(os.getpid(), number)
            await until(lambda: len(calls) == count)  # noqa: B023
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) == before


async def test_the_handlers_are_removed_after_an_error() -> None:
    with pytest.raises(RuntimeError), stop_signals(lambda: None):
        raise RuntimeError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
