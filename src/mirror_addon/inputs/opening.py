"""The one way to open a file that somebody names: without waiting, only what has an end, and not more than a bound.

A named pipe would wait for its writer, perhaps for ever, and /dev/zero never ends. Nothing can be told from a name,
which may lead elsewhere by the next call: what counts is the status of the open file.

Read are regular files, /dev/null, and pipes without a name where `pipes` allows it: a shell passes those for
`<(command)`, and somebody writes to them. Files of /proc and /sys are regular, but hold no rules or records, and some
never end; they are refused.
"""

from __future__ import annotations

import errno
import os
import stat
from functools import cache
from pathlib import Path

_BLOCK = 1 << 20
SYSTEM_FOLDERS = ("/proc", "/sys")


def open_input(path: Path | str, *, pipes: bool = False) -> int:
    """Return a descriptor for reading. Raises OSError, whose `strerror` says what the file is, and never waits."""
    # O_NONBLOCK: opening a named pipe would wait for its writer. O_NOCTTY: a terminal must not become the process's.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    try:
        if (why := _why_not(os.fstat(descriptor), pipes)) is not None:
            raise OSError(why[0], why[1], str(path))
        os.set_blocking(descriptor, True)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_input(path: Path | str, most: int, *, pipes: bool = False) -> bytes:
    """Return the bytes of a file. Raises OSError as `open_input` does, and if there are more than `most` bytes."""
    parts: list[bytes] = []
    left = most + 1
    with open(open_input(path, pipes=pipes), "rb", buffering=0) as file:
        while left and (part := file.read(min(left, _BLOCK))):
            parts.append(part)
            left -= len(part)
    if not left:
        raise OSError(errno.EFBIG, f"has more than {most:,} bytes", str(path))
    return b"".join(parts)


def check_input(*paths: str) -> None:
    """Raise OSError for a file that a library is about to open by its name and that is none to read. Empty names are
    left out."""
    for path in filter(None, paths):
        os.close(open_input(path))


def is_of_the_system(status: os.stat_result) -> bool:
    """Whether a file or folder is one of /proc or /sys."""
    return status.st_dev in _system_devices()


def _why_not(status: os.stat_result, pipes: bool) -> tuple[int, str] | None:
    """Return the error for a file that is not read."""
    kind = status.st_mode
    if stat.S_ISREG(kind):
        return (errno.EINVAL, "is a file of the system") if is_of_the_system(status) else None
    if stat.S_ISDIR(kind):
        return errno.EISDIR, os.strerror(errno.EISDIR)
    if stat.S_ISFIFO(kind):
        if pipes and status.st_dev == _pipe_device():
            return None
        return errno.EINVAL, "is a named pipe and no regular file"
    if stat.S_ISCHR(kind) and status.st_rdev == os.stat(os.devnull).st_rdev:
        return None
    return errno.EINVAL, "is no regular file"


@cache
def _system_devices() -> frozenset[int]:
    """The devices of the file systems at /proc and /sys; none where a name is of the same file system as `/`."""
    root = os.stat("/").st_dev
    found = set()
    for folder in SYSTEM_FOLDERS:
        try:
            found.add(os.stat(folder).st_dev)
        except OSError:
            continue
    return frozenset(found - {root})


@cache
def _pipe_device() -> int:
    """The device of pipes without a name. A named pipe has that of its folder."""
    ends = os.pipe()
    try:
        return os.fstat(ends[0]).st_dev
    finally:
        for end in ends:
            os.close(end)
