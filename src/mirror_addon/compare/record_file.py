"""The file of a record: several processes append whole lines to it, and it is rotated when it is too big.

Theory of operation. A line is one `write` to a descriptor in append mode (O_APPEND), so that lines of several workers
do not overlap. It is written under an advisory lock of the whole file (flock), which the kernel releases when a
process dies. Under the lock, three things are safe:

- What a killed process or a full disk left of a line is removed before the next line is written (`_mend`).
- A line that could only be written in part is removed again (`_write`).
- A file that would grow beyond `rotate` is renamed (`_rotate`). Other processes notice because the inode at the path is
  no longer that of their descriptor (`_is_current`), and open the new file.

A lock that cannot be had must not stop the worker: then lines are written without it. But a line that is being written
looks like what a killed process left (the size of a file grows while the kernel copies a line into it), and must not be
removed. So there is a second lock, that of the folder: it is held for each line that is written without the first, and
for each removal. Whoever removes bytes has both, and nobody writes meanwhile. Where the second one cannot be had,
nothing is removed: an incomplete line is ended, and readers skip it.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import fcntl
import json
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

_TAIL = 4 * 1024 * 1024
"""Bytes at the end of a file in which its last lines are searched. A longer incomplete line is ended, not removed."""
_LINE_START = b'{"version":'
_ID = re.compile(rb'{"version":1,"id":"([^"\\]+)"')
_LOCK_PAUSES = (0.0002, 0.0005, 0.001, *[0.002] * 20)
"""Seconds between attempts to get the lock. Another worker holds it for microseconds, unless that is stopped."""
_LOCK_REST = 1.0
"""Seconds without another attempt after these failed. Meanwhile lines are written without the lock, and the file may
grow beyond `rotate`."""


class Lock(enum.Enum):
    """What came of an attempt to get a lock."""

    HAD = enum.auto()
    BUSY = enum.auto()
    """Another process has it, and did not release it in time."""
    NONE = enum.auto()
    """The file system has no locks, or not for this."""


def rotated_name(path: Path, number: int) -> Path:
    """`record.1.jsonl` for `record.jsonl` and 1. The oldest rotated file has the lowest number."""
    return path.with_name(f"{path.stem}.{number}{path.suffix}")


def why_unwritable(path: Path) -> str:
    """Why `path` cannot be a record, and what to do, or empty if it can. A missing file is created."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    except OSError as error:
        return f"{os.strerror(error.errno or 0)}; name a file"
    if stat.S_ISDIR(mode):
        return "is a folder; name a file in it"
    if not (stat.S_ISREG(mode) or stat.S_ISCHR(mode)):
        return "is not a file; name a file"
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        if not path.parent.exists():
            return f"the folder {path.parent} does not exist; create it, or name another"
        return f"cannot be written: {os.strerror(error.errno or 0)}; name another file"
    return ""


def why_no_folder(path: Path) -> str:
    """Why files and folders cannot be made in the folder `path`, and what to do, or empty if they can. It is created if
    it is missing."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        return f"{path} is no folder; name another"
    except OSError as error:
        return f"the folder {path} cannot be made: {os.strerror(error.errno or 0)}; name another"
    return "" if os.access(path, os.W_OK | os.X_OK) else f"the folder {path} cannot be written; name another"


class RecordFile:
    """Appends lines to the file at `path`, which several processes may share.

    `rotate`: the size in bytes from which on another file is begun, 0 for no limit.
    """

    def __init__(self, path: Path, rotate: int = 0) -> None:
        self.path = path
        self.rotate = rotate
        self._descriptor = -1
        self._folder = -1
        self._regular = True
        self._lock_rests_until = 0.0
        self._next_number = 1

    def append(self, line: bytes) -> None:
        """Write a line, which must end with a newline. Raises OSError; then no part of the line stays in the file."""
        locked = self._open_and_lock()
        if locked is not Lock.HAD:
            self._write_unlocked(line, locked)
            return
        try:
            ended = self._mend()
            if self.rotate and self._full(len(line)):
                self._rotate()
                ended = True
            self._write(line if ended else b"\n" + line)
        finally:
            self._unlock()

    def close(self) -> None:
        for descriptor in (self._descriptor, self._folder):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._folder = -1

    def _open_and_lock(self) -> Lock:
        """Open the file that is at the path now, and lock it."""
        while True:
            if self._descriptor >= 0 and self._regular and not self._is_current():
                self.close()
            if self._descriptor < 0:
                self._open()
            if not self._regular:
                return Lock.NONE
            if (lock := self._lock()) is not Lock.HAD or self._is_current():
                return lock
            self._unlock()  # another process rotated the file before this one had the lock

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            self._descriptor = os.open(self.path, flags, 0o600)
        except PermissionError:  # writable but not readable; then _mend does nothing
            self._descriptor = os.open(self.path, flags & ~os.O_RDWR | os.O_WRONLY, 0o600)
        self._regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)

    def _is_current(self) -> bool:
        """Whether the open file is still the one at the path."""
        try:
            at_path, opened = os.stat(self.path), os.fstat(self._descriptor)
        except OSError:
            return False
        return (at_path.st_ino, at_path.st_dev) == (opened.st_ino, opened.st_dev)

    def _lock(self) -> Lock:
        if time.monotonic() < self._lock_rests_until:
            return Lock.BUSY
        if (lock := _lock(self._descriptor)) is not Lock.HAD:
            self._lock_rests_until = time.monotonic() + _LOCK_REST
        return lock

    def _unlock(self) -> None:
        with contextlib.suppress(OSError):
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[Lock]:
        """Hold the lock of the folder, if it can be had."""
        if self._folder < 0:
            with contextlib.suppress(OSError):  # a folder may be used and not read
                self._folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        lock = _lock(self._folder) if self._folder >= 0 else Lock.NONE
        try:
            yield lock
        finally:
            if lock is Lock.HAD:
                with contextlib.suppress(OSError):
                    fcntl.flock(self._folder, fcntl.LOCK_UN)

    def _ended(self, size: int) -> bool:
        return not size or os.pread(self._descriptor, 1, size - 1) == b"\n"

    def _mend(self) -> bool:
        """Remove an incomplete line of a record at the end of the locked file. Return whether the file is empty or ends
        with a newline now; it does not after a line of another program, or if bytes cannot be removed safely."""
        try:
            if self._ended(os.fstat(self._descriptor).st_size):
                return True
            with self._alone() as lock:
                size = os.fstat(self._descriptor).st_size
                if self._ended(size):  # the line was only being written
                    return True
                tail = os.pread(self._descriptor, _TAIL, max(0, size - _TAIL))
                last = tail[tail.rfind(b"\n") + 1 :]
                if lock is not Lock.HAD or is_line(last) or not _begins_as_ours(last):
                    return False
                os.ftruncate(self._descriptor, size - len(last))
                return True
        except OSError:  # it may be written and not read
            return True

    def _full(self, more: int) -> bool:
        size = os.fstat(self._descriptor).st_size
        return size > 0 and size + more > self.rotate

    def _rotate(self) -> None:
        """Rename the file and begin another. The lock on the old file keeps other processes from doing the same."""
        while (moved := rotated_name(self.path, self._next_number)).exists():
            self._next_number += 1
        os.rename(self.path, moved)
        self.close()
        self._open()
        self._lock()

    def _write(self, line: bytes) -> None:
        """Write into the locked file. What was written of a line that does not fit is removed."""
        before, written = os.fstat(self._descriptor).st_size, 0
        try:
            while written < len(line):
                written += os.write(self._descriptor, memoryview(line)[written:])
        except OSError:
            with contextlib.suppress(OSError), self._alone() as lock:
                # unless a process without the lock wrote a line before or after it
                if lock is Lock.HAD and os.fstat(self._descriptor).st_size == before + written:
                    os.ftruncate(self._descriptor, before)
            raise

    def _write_unlocked(self, line: bytes, why: Lock) -> None:
        """Write a line without the lock. Raises BlockingIOError if the folder's lock is not released either."""
        with self._alone() if why is Lock.BUSY else contextlib.nullcontext() as lock:
            if lock is Lock.BUSY:
                raise BlockingIOError(errno.EWOULDBLOCK, "another process holds the record's locks and does not run")
            written = 0
            while written < len(line):
                written += os.write(self._descriptor, memoryview(line)[written:])


def _lock(descriptor: int) -> Lock:
    for pause in (*_LOCK_PAUSES, 0.0):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return Lock.HAD
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EINTR):
                return Lock.NONE
        time.sleep(pause)
    return Lock.BUSY


def _begins_as_ours(text: bytes) -> bool:
    return text.startswith(_LINE_START) or _LINE_START.startswith(text)


def is_line(text: bytes) -> bool:
    """Whether `text` is a JSON object."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def last_lines(path: Path) -> dict[str, bytes]:
    """The last lines of the record at `path` and of the newest rotated file, by the id of their shadow."""
    found: dict[str, bytes] = {}
    for each in (_newest_rotated(path), path):
        if each is not None:
            for line in _tail(each).splitlines():
                if match := _ID.match(line):
                    found[match[1].decode("utf-8", "replace")] = line
    return found


def _newest_rotated(path: Path) -> Path | None:
    number = 1
    while rotated_name(path, number).exists():
        number += 1
    return rotated_name(path, number - 1) if number > 1 else None


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            return file.read(_TAIL)
    except OSError:
        return b""
