"""HAR 1.2 as browsers, proxies and test tools write it, read one entry at a time.

What cannot be read costs that entry and not the file: it is counted, and the first of them are named by their index.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import ijson

from mirror_addon.captures.entry import Entry
from mirror_addon.captures.entry import Unreadable
from mirror_addon.captures.har_entry import HarError
from mirror_addon.captures.har_entry import har_entry
from mirror_addon.captures.nesting import Nesting
from mirror_addon.captures.stream import CaptureError
from mirror_addon.captures.stream import CaptureStream

_NAMED = 10
"""Entries that cannot be read and are named in a warning of their own; more are only counted."""
_LOOK = 4096
_END = object()


def is_har(path: Path) -> bool:
    """Whether a file that begins with `{` is a HAR: its first JSON value has a member `log`, which need not come first
    (RFC 8259 4). Raises CaptureError where the file cannot be read."""
    try:
        return _has_log(path, ijson.parse)
    except (ValueError, ijson.JSONError):
        pass
    try:
        return _has_log(path, ijson.get_backend("python").parse)  # it takes lone surrogates
    except (ValueError, ijson.JSONError):
        return False  # the reader of records says what is wrong, except where `log` came first


def _has_log(path: Path, parse: Callable[..., Iterator[tuple[str, str, Any]]]) -> bool:
    with CaptureStream(path) as stream:
        _skip_mark(stream)
        if re.match(rb'\s*\{\s*"log"\s*:', stream.peek(_LOOK)):
            return True
        # use_float: without it the fast backend crashes on an integer of more digits than int() takes.
        for prefix, event, value in parse(Nesting(stream), use_float=True):
            if not prefix and ((event == "map_key" and value == "log") or event == "end_map"):
                return event == "map_key"
    return False


def _skip_mark(stream: CaptureStream) -> None:
    if stream.peek(3).startswith(b"\xef\xbb\xbf"):
        stream.read(3)


class _TooBig(Exception):
    """A number is too big for ijson's fast backend."""


def read_har(stream: CaptureStream, warn: Callable[[str], None]) -> Iterator[Entry | Unreadable]:
    """The entries of a HAR. `warn` is called with a message for a document that is cut off and for entries that cannot
    be read. What is not JSON raises CaptureError."""
    number = 0
    try:
        for entry in _entries(stream, warn, ijson.items):
            number += 1
            yield entry
    except (UnicodeDecodeError, _TooBig):
        # mitmproxy writes a byte that is not UTF-8 as a lone surrogate, which ijson's fast backend (yajl) refuses, as
        # it does a number of more than 64 bits. The backend in Python takes both, but is seventeen times slower. Start
        # again, and skip what has been read.
        with CaptureStream(stream.path) as again:
            yield from islice(_entries(again, warn, ijson.get_backend("python").items), number, None)


def _entries(
    stream: CaptureStream, warn: Callable[[str], None], parse: Callable[..., Iterator[Any]]
) -> Iterator[Entry | Unreadable]:
    _skip_mark(stream)
    number = unreadable = 0
    before = 0.0
    nesting = Nesting(stream)
    entries = parse(nesting, "log.entries.item", use_float=True)
    while True:
        try:
            value = next(entries, _END)
        except UnicodeDecodeError:
            raise
        except (ValueError, ijson.JSONError) as error:  # the backend in Python raises what int() and json raise
            told = error.args[0]
            what = (told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)).partition("\n")[0]
            if parse is ijson.items and " overflow" in what:
                raise _TooBig from None
            if number and nesting.is_open and not stream.peek(1):
                warn(f"{stream.path}: the file ends after {number} entries; they are used")
                return
            after = f"entry {number}, before byte {stream.position}" if number else f"byte {stream.position}"
            raise CaptureError(f"{stream.path}: not JSON after {after}: {what[:100]}") from None
        if value is _END:
            return
        number += 1
        try:
            entry = har_entry(value, stream.position, before)
        except HarError as error:
            unreadable += 1
            if unreadable <= _NAMED:
                more = "; further ones are only counted" if unreadable == _NAMED else ""
                warn(f"{stream.path}: entry {number} is not HAR 1.2: {error}; left out{more}")
            yield Unreadable("malformed", stream.position)
        else:
            before = entry.flow.timestamp_start
            yield entry
