from __future__ import annotations

import errno
import socket

from mirror_addon.worker.local_fault import is_local


def test_what_this_machine_lacks_says_nothing_about_a_mirror() -> None:
    assert is_local(OSError(errno.EMFILE, "Too many open files"))
    assert is_local(OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"))
    assert not is_local(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"))
    assert not is_local(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    assert not is_local(ValueError("IDNA"))
