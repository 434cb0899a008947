"""A process that does not outlive its parent, however the parent ends."""

from __future__ import annotations

import contextlib
import signal
import sys

_PR_SET_PDEATHSIG = 1
"""<linux/prctl.h>"""


def die_with_parent() -> None:
    """On Linux, have the kernel kill this process when its parent ends, by SIGKILL too. Elsewhere, do nothing.

    The kernel's "parent" is the thread that started this process (prctl(2), PR_SET_PDEATHSIG), so that thread must live
    as long as the process is needed. A parent that ended before the call is not noticed: compare `os.getppid()` after.
    """
    if sys.platform != "linux":
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
