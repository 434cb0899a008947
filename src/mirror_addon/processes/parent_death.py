"""A process that does not outlive the one that started it, however that one ends."""

from __future__ import annotations

import contextlib
import signal
import sys

_PR_SET_PDEATHSIG = 1
"""<linux/prctl.h>"""


def die_with_parent() -> None:
    """On Linux, from now on: what ends the parent, SIGKILL too, ends this process. Elsewhere nothing happens.

    The parent is the thread that started this process, so let that be one that lives at least as long. Who died before
    the call is not noticed.
    """
    if sys.platform != "linux":
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
