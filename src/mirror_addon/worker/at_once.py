"""Calls that may take so much processor time and no more, in the thread of the event loop."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


class _Overtime(BaseException):
    """Not an Exception, so that no handler in the call takes it for an error of its own."""


_calling = False


def within(seconds: float, call: Callable[[], T]) -> T | None:
    """Return what `call` returns, or None if it was interrupted after so many seconds of processor time.

    The call must not mind being interrupted between any two steps. It is interrupted by a signal (SIGVTALRM), whose
    handler Python calls between two instructions and within long regular expression matches, so a single call into
    other C code is finished first. For the main thread only.
    """
    global _calling
    if signal.getsignal(signal.SIGVTALRM) is not _interrupt:
        signal.signal(signal.SIGVTALRM, _interrupt)
    try:
        _calling = True
        # Again and again: an exception in a destructor would be dropped there.
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds, seconds)
        result = call()
        _calling = False
    except _Overtime:
        return None
    finally:
        _calling = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return result


def _interrupt(number: int, frame: FrameType | None) -> None:
    if _calling:
        raise _Overtime
