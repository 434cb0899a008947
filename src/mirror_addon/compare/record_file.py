"""The file of a record: whole lines at its end, from several processes at once, and a new file when it is big.

A line is one `write` to a descriptor in append mode, under a lock that the system takes from a process that dies. What
a process that was killed, or a disc that was full, left of a line is cut off before the next one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import stat
import time
from pathlib import Path

_TAIL = 4 * 1024 * 1024
_OURS = b'{"version":'
_ID = re.compile(rb'{"version":1,"id":"([^"\\]+)"')
_LOCK_PAUSES = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02)
"""Seconds. Another worker has the lock for microseconds, unless it is frozen: then lines are written without it, and
files may become bigger than they should, for as long as the lock is not tried again."""
_LOCK_REST = 1.0


def rotated_name(path: Path, number: int) -> Path:
    """`record.jsonl` begun for the first time again: `record.1.jsonl`. The oldest has the lowest number."""
    return path.with_name(f"{path.stem}.{number}{path.suffix}")


def why_unwritable(path: Path) -> str:
    """What is wrong with `path` as a record, and what to do; empty if nothing is. The file is made if it is missing."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    except OSError as error:
        return f"{os.strerror(error.errno or 0)}; name a file"
    if stat.S_ISDIR(mode):
        return "is a folder; name a file in it"
    if not (stat.S_ISREG(mode) or stat.S_ISCHR(mode)):
        return "is no file; name one"
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        if not path.parent.exists():
            return f"the folder {path.parent} does not exist; make it, or name another"
        return f"cannot be written: {os.strerror(error.errno or 0)}; name another file"
    return ""


class RecordFile:
    """Appends lines to `path`. Several processes may have the same file. `rotate`: bytes, 0 for never."""

    def __init__(self, path: Path, rotate: int = 0) -> None:
        self.path = path
        self.rotate = rotate
        self._descriptor = -1
        self._regular = True
        self._lock_rests_until = 0.0
        self._next_number = 1

    def append(self, line: bytes) -> None:
        """Write a line that ends with a newline. Raises OSError; then nothing of it stays."""
        locked = self._open_and_lock()
        try:
            if locked:
                self._mend()
                if self.rotate and self._full(len(line)):
                    self._begin_another()
            self._write(line, locked)
        finally:
            if locked:
                self._unlock()

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open_and_lock(self) -> bool:
        """Have the file that is at the path now; whether this process alone writes."""
        while True:
            if self._descriptor >= 0 and self._regular and not self._is_current():
                self.close()
            if self._descriptor < 0:
                self._open()
            if not self._regular or not self._lock():
                return False
            if self._is_current():
                return True
            self._unlock()  # moved away between the two

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            self._descriptor = os.open(self.path, flags, 0o600)
        except PermissionError:  # may be written, but not read
            self._descriptor = os.open(self.path, flags & ~os.O_RDWR | os.O_WRONLY, 0o600)
        self._regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)

    def _is_current(self) -> bool:
        try:
            there, ours = os.stat(self.path), os.fstat(self._descriptor)
        except OSError:
            return False
        return (there.st_ino, there.st_dev) == (ours.st_ino, ours.st_dev)

    def _lock(self) -> bool:
        if time.monotonic() < self._lock_rests_until:
            return False
        for pause in (*_LOCK_PAUSES, 0.0):
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EINTR):
                    break  # a file system without locks
            time.sleep(pause)
        self._lock_rests_until = time.monotonic() + _LOCK_REST
        return False

    def _unlock(self) -> None:
        with contextlib.suppress(OSError):
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _mend(self) -> None:
        """Cut off half a line of ours; end a line of somebody else's."""
        with contextlib.suppress(OSError):
            size = os.fstat(self._descriptor).st_size
            if not size or os.pread(self._descriptor, 1, size - 1) == b"\n":
                return
            start = max(0, size - _TAIL)
            tail = os.pread(self._descriptor, _TAIL, start)
            last = tail[tail.rfind(b"\n") + 1 :]
            if not is_line(last) and (last.startswith(_OURS) or _OURS.startswith(last)):
                os.ftruncate(self._descriptor, size - len(last))
            else:
                os.write(self._descriptor, b"\n")

    def _full(self, more: int) -> bool:
        size = os.fstat(self._descriptor).st_size
        return size > 0 and size + more > self.rotate

    def _begin_another(self) -> None:
        """Move the file out of the way. The lock on it keeps others from doing the same."""
        while (moved := rotated_name(self.path, self._next_number)).exists():
            self._next_number += 1
        os.rename(self.path, moved)
        self.close()
        self._open()
        self._lock()

    def _write(self, line: bytes, locked: bool) -> None:
        before = os.fstat(self._descriptor).st_size if locked else 0
        written = os.write(self._descriptor, line)
        try:
            while written < len(line):
                written += os.write(self._descriptor, memoryview(line)[written:])
        except OSError:
            if locked:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._descriptor, before)
            raise


def is_line(text: bytes) -> bool:
    """Is it a JSON object?"""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def last_lines(path: Path) -> dict[str, bytes]:
    """The last lines at `path`, and of the file begun before it, by id."""
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
