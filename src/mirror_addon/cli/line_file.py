"""A click type for files of lines: `-` is standard input, and neither the file nor a line is without end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

import click

from mirror_addon.captures.urls import RequestError
from mirror_addon.inputs.opening import open_input

MAX_LINE = 4 * 1024 * 1024
"""Bytes. A request or a test takes a thousandth of them."""


class LineFile:
    """The lines of a file as text: UTF-8, where a lone surrogate is a byte that is none. Read once, as a stream."""

    def __init__(self, name: str, stream: BinaryIO) -> None:
        self.name = name
        self._stream = stream

    def __iter__(self) -> Iterator[str]:
        """Raises RequestError for a line of more than `MAX_LINE` bytes, before the rest of it is read."""
        number = 0
        while line := self._stream.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise RequestError(f"{self.name}:{number}: longer than {MAX_LINE:,} bytes; write one request a line")
            yield line.decode("utf-8", "surrogateescape")


def line_file(name: str) -> LineFile:
    """A click type: open the file when the command line is parsed, and close it with the command."""
    if name == "-":
        return LineFile("<stdin>", sys.stdin.buffer)
    try:
        stream = os.fdopen(open_input(name, pipes=True), "rb")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise click.BadParameter(f"{name!r}: {why}") from None
    click.get_current_context().call_on_close(stream.close)
    return LineFile(name, stream)
