"""Read the lines of records: files, plain or gzipped, and standard input. What cannot be read becomes a warning."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import sys
import zlib
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import BinaryIO
from typing import Generic
from typing import cast

from mirror_addon.compare.report.lines import AnyLine
from mirror_addon.compare.report.lines import LineError
from mirror_addon.compare.report.lines import LineParser
from mirror_addon.compare.report.lines import NotJson
from mirror_addon.compare.report.lines import clean_line
from mirror_addon.compare.secrets import without_secrets
from mirror_addon.inputs.opening import open_input

MAX_LINE = 64 * 1024 * 1024
"""The most bytes of a line. Lines with three bodies of 1 MiB are far below."""

MAX_WARNINGS = 20
"""The most warnings that are kept. Further ones are counted."""

# RFC 1952 2.3.1
GZIP_MAGIC = b"\x1f\x8b"
PROGRESS_EVERY = 2000
BUFFER = 1 << 18

Raw = io.FileIO | BinaryIO


class SourceError(Exception):
    """A file cannot be opened."""


class RecordReader(Generic[AnyLine]):
    """Iterates over the lines of `sources` (paths; `-` is standard input) once, in the order given.

    Raises SourceError for a file that cannot be opened. Everything else that is wrong becomes a warning
    `FILE:LINE: what`, and reading goes on. `progress` is called with the number of bytes that were read so far.
    """

    def __init__(
        self, sources: Sequence[str], kind: type[AnyLine], progress: Callable[[int], None] | None = None
    ) -> None:
        self.records = 0
        self.skipped = 0
        self.warnings: list[str] = []
        self.more_warnings = 0
        self._parse = LineParser(kind)
        self._progress = progress or (lambda _: None)
        self._done = 0
        self.sources: list[str] = []
        seen: set[object] = set()
        for source in sources:
            identity = _identity(source)
            if identity in seen:
                self._warn(f"{source}: given twice, read once")
            else:
                seen.add(identity)
                self.sources.append(source)

    @property
    def size(self) -> int | None:
        """The bytes of all files, or None if that is unknown (standard input, pipes)."""
        if any(not os.path.isfile(source) for source in self.sources):
            return None
        return sum(os.path.getsize(source) for source in self.sources)

    def __iter__(self) -> Iterator[AnyLine]:
        for source in self.sources:
            with _opened(source) as raw:
                name = "<stdin>" if source == "-" else source
                try:
                    yield from self._lines(name, raw)
                except (OSError, EOFError, zlib.error) as error:
                    self._warn(f"{name}: the rest cannot be read: {error}")
                self._done += raw.tell() if raw.seekable() else 0
                self._progress(self._done)

    def _lines(self, name: str, raw: Raw) -> Iterator[AnyLine]:
        buffered = io.BufferedReader(cast(io.RawIOBase, raw), BUFFER)
        compressed = buffered.peek(2).startswith(GZIP_MAGIC)
        lines = buffered
        if compressed:
            lines = io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=buffered)), BUFFER)
        number, parse = 0, self._parse
        try:
            while text := lines.readline(MAX_LINE):
                number += 1
                if number % PROGRESS_EVERY == 0 and raw.seekable():
                    self._progress(self._done + raw.tell())
                try:
                    line = parse(text)
                except LineError as error:
                    self._not_a_line(name, number, text, error)
                    while not text.endswith(b"\n") and text:
                        text = lines.readline(MAX_LINE)
                else:
                    self.records += 1
                    yield line if without_secrets(text, _marked) is text else clean_line(line)
        finally:
            buffered.detach()  # otherwise it would close standard input

    def _not_a_line(self, name: str, number: int, text: bytes, error: LineError) -> None:
        if not text.strip():
            return
        self.skipped += 1
        if len(text) >= MAX_LINE:
            self._warn(f"{name}:{number}: left out: longer than {MAX_LINE} bytes")
        elif isinstance(error, NotJson) and not text.endswith(b"\n"):
            self._warn(f"{name}:{number}: left out: the last line is incomplete, because its writer was stopped")
        else:
            self._warn(f"{name}:{number}: left out: {error}")

    def _warn(self, text: str) -> None:
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(text)
        else:
            self.more_warnings += 1


def _marked(secret: bytes) -> bytes:
    return b"?"


def _identity(source: str) -> object:
    """The same for two names of one file."""
    try:
        status = os.stat(source)
    except OSError:
        return source
    return status.st_dev, status.st_ino


@contextlib.contextmanager
def _opened(source: str) -> Iterator[Raw]:
    if source == "-":
        yield sys.stdin.buffer
        return
    try:
        file = io.FileIO(open_input(source, pipes=True))
    except OSError as error:
        raise SourceError(f"{source}: {error.strerror or error}") from None
    with file:
        yield file
