from __future__ import annotations

import errno
import socket

import httpcore
import pytest

from mirror_addon.worker.connect_error import connect_error
from mirror_addon.worker.local_fault import LocalFault


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 9)"), "Connection refused"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"),
        (OSError("Multiple exceptions: [Errno 111]"), "Multiple exceptions: [Errno 111]"),
        (ValueError("label too long"), "label too long"),
    ],
)
def test_a_fault_of_the_mirror(error: OSError | ValueError, said: str) -> None:
    found = connect_error(error, "b.test port 9")
    assert isinstance(found, httpcore.ConnectError) and str(found) == f"b.test port 9: {said}"


def test_a_fault_of_this_machine() -> None:
    found = connect_error(OSError(errno.EMFILE, "x"), "b.test port 9")
    assert isinstance(found, LocalFault) and str(found) == "no connection: Too many open files"
