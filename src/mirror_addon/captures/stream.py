"""The bytes of a capture file, decompressed, with the position in the file for error messages and progress."""

from __future__ import annotations

import io
import os
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any
from typing import Self

from mirror_addon.inputs.opening import open_input

_BUFFER = 256 * 1024
"""Bytes that are read and decompressed at once."""
_ANY_WRAPPER = 47
"""zlib's window bits that accept both gzip and zlib (mitmproxy's .zhar): 32 + 15."""


class CaptureError(Exception):
    """A capture that cannot be read. The message names the file and the place, and says what to do."""


class CaptureStream(io.BufferedReader):
    """The content of `path`, decompressed where it is gzip or zlib.

    The constructor raises CaptureError where the file cannot be opened, reading where it cannot be decompressed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = io.FileIO(open_input(path))
            begin = os.pread(self._file.fileno(), 2, 0)
        except OSError as error:
            raise CaptureError(f"{path}: {error.strerror or error}") from None
        self.compressed = begin in (b"\x1f\x8b", b"\x78\x01", b"\x78\x9c", b"\x78\xda")
        super().__init__(_Inflated(self._file, path) if self.compressed else self._file, _BUFFER)

    @property
    def torn(self) -> bool:
        """Whether the file ended in the middle of compressed data."""
        return isinstance(self.raw, _Inflated) and self.raw.torn

    @property
    def position(self) -> int:
        """Bytes of the file that have been read. Of a compressed file, the buffer counts as read."""
        return self._file.tell() if self.compressed else self.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._file.close()


class _Inflated(io.RawIOBase):
    """Decompresses one or more members, one after the other.

    Unlike gzip.GzipFile it returns what a truncated member holds, and sets `torn` instead of raising EOFError.
    """

    def __init__(self, file: io.FileIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._inflate = zlib.decompressobj(_ANY_WRAPPER)
        self._waiting = b""
        self._given = 0
        self._begun = False
        self.torn = False

    def tell(self) -> int:
        return self._given

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._inflate.eof:
                self._waiting = self._inflate.unused_data
                self._inflate = zlib.decompressobj(_ANY_WRAPPER)
                self._begun = False
            data = self._waiting or self._file.read(_BUFFER)
            if not data:
                self.torn = self._begun
                return 0
            try:
                found = self._inflate.decompress(data, len(buffer))
            except zlib.error as error:
                at = self._file.tell()
                raise CaptureError(f"{self._path}: cannot be decompressed before byte {at}: {error}") from None
            self._waiting = self._inflate.unconsumed_tail
            self._begun = not self._inflate.eof
            if found:
                buffer[: len(found)] = found
                self._given += len(found)
                return len(found)
