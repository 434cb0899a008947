"""HAR 1.2 as browsers, proxies and test tools write it, read one entry at a time.

What cannot be read costs that entry and not the file: it is counted, and the first of them are named by their index.
"""

from __future__ import annotations

import json
import math
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
_WHERE = {"log": "log.entries.item", "entries": "entries.item", "startedDateTime": ""}
"""Where the entries are, as ijson writes it, by a member that shows it: of a HAR, of its `log` alone, of an entry."""
_LOOK = 4096
_END = object()
_MOST_LENIENT = 64 * 1024 * 1024
"""Bytes of a file that is read at once because it is not quite JSON."""
_LONE = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])")
"""The first half of a pair of surrogates without the second. It begins with what `re` finds quickly."""


def is_har(path: Path) -> bool:
    """Whether a file that begins with `{` or `[` is a HAR: its first JSON value has a member `log`, which need not come
    first (RFC 8259 4), or is the `log` itself, or an entry, or a list of these. Raises CaptureError where the file
    cannot be read."""
    return _entries_at(path) is not None


def _entries_at(path: Path) -> str | None:
    """Where the entries of a HAR are, as ijson writes it; None if it is none."""
    try:
        return _found(path, ijson.parse)
    except (ValueError, ijson.JSONError):
        pass
    try:
        return _found(path, ijson.get_backend("python").parse)  # it takes lone surrogates
    except (ValueError, ijson.JSONError):
        return None  # the reader of records says what is wrong, except where `log` came first


def _found(path: Path, parse: Callable[..., Iterator[tuple[str, str, Any]]]) -> str | None:
    with CaptureStream(path) as stream:
        _skip_mark(stream)
        if re.match(rb'\s*\{\s*"log"\s*:', stream.peek(_LOOK)):
            return _WHERE["log"]
        within = "item" if stream.peek(_LOOK).lstrip()[:1] == b"[" else ""
        # use_float: without it the fast backend crashes on an integer of more digits than int() takes.
        for prefix, event, value in parse(Nesting(stream), use_float=True, multiple_values=True):
            if prefix == within and event == "map_key" and value in _WHERE:
                return ".".join(filter(None, (within, _WHERE[value])))
            if prefix == within and event == "end_map":
                return None
    return None


def _skip_mark(stream: CaptureStream) -> None:
    if stream.peek(3).startswith(b"\xef\xbb\xbf"):
        stream.read(3)


class _Watched:
    """A stream for yajl, which reads half a pair of surrogates as `?`. Raises UnicodeDecodeError at one."""

    def __init__(self, stream: Nesting) -> None:
        self._stream = stream
        self._end = b""

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        text = self._end + data
        for found in _LONE.finditer(text):
            before = text[max(0, found.start() - 40) : found.start()]
            escaped = (len(before) - len(before.rstrip(b"\\"))) % 2  # the backslash is one of the text
            if found.end() + 6 <= len(self._end):
                continue  # it was looked at
            if not escaped and (not data or found.end() + 6 <= len(text)):
                raise UnicodeDecodeError("utf-8", found[0], 0, 1, "half a pair of surrogates")
        self._end = text[-40:]
        return data


def _watched_items(stream: Nesting, where: str, **options: Any) -> Iterator[Any]:
    return iter(ijson.items(_Watched(stream), where, **options))


class _TooBig(Exception):
    """A number is too big for ijson's fast backend."""


def read_har(stream: CaptureStream, warn: Callable[[str], None]) -> Iterator[Entry | Unreadable]:
    """The entries of a HAR. `warn` is called with a message for a document that is cut off and for entries that cannot
    be read. What is not JSON raises CaptureError."""
    number = 0
    where = _entries_at(stream.path)
    where = _WHERE["log"] if where is None else where
    try:
        for entry in _entries(stream, warn, _watched_items, where):
            number += 1
            yield entry
    except (UnicodeDecodeError, _TooBig):
        # mitmproxy writes a byte that is not UTF-8 as a lone surrogate, which ijson's fast backend (yajl) refuses, as
        # it does a number of more than 64 bits. The backend in Python takes both, but is seventeen times slower. Start
        # again, and skip what has been read.
        with CaptureStream(stream.path) as again:
            yield from islice(_entries(again, warn, ijson.get_backend("python").items, where), number, None)


def _lenient(path: Path, where: str) -> Iterator[Any]:
    """The entries of a file that is not quite JSON: with numbers like NaN or of any length, with control characters or
    bytes that are not UTF-8 in texts. Raises ValueError where it is less than that, or too big."""
    with CaptureStream(path) as stream:
        raw = stream.read(_MOST_LENIENT + 1)
    if len(raw) > _MOST_LENIENT:
        raise ValueError("too big")
    text = raw.decode("utf-8-sig", "surrogateescape")
    decoder = json.JSONDecoder(strict=False, parse_int=_integer)
    position = 0
    while text[position:].strip(" \t\r\n\0"):
        position += len(text[position:]) - len(text[position:].lstrip())
        value, position = decoder.raw_decode(text, position)
        values = [value]
        for step in filter(None, where.split(".")):
            values = [
                below
                for each in values
                for below in (each if step == "item" and isinstance(each, list) else _member(each, step))
            ]
        yield from values


def _read_leniently(path: Path, where: str) -> Iterator[Any] | None:
    try:
        return iter(list(_lenient(path, where)))
    except (ValueError, RecursionError):
        return None


def _member(value: Any, name: str) -> list[Any]:
    return [value[name]] if isinstance(value, dict) and name in value else []


def _integer(text: str) -> int | float:
    return int(text) if len(text) < 1000 else math.inf


def _entries(
    stream: CaptureStream, warn: Callable[[str], None], parse: Callable[..., Iterator[Any]], where: str
) -> Iterator[Entry | Unreadable]:
    _skip_mark(stream)
    number = unreadable = 0
    before = 0.0
    nesting = Nesting(stream)
    entries = parse(nesting, where, use_float=True, multiple_values=True)
    lenient = False
    while True:
        try:
            value = next(entries, _END)
        except UnicodeDecodeError:
            raise
        except (ValueError, ijson.JSONError) as error:  # the backend in Python raises what int() and json raise
            told = error.args[0]
            what = (told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)).partition("\n")[0]
            if parse is _watched_items and " overflow" in what:
                raise _TooBig from None
            if not lenient and (others := _read_leniently(stream.path, where)) is not None:
                lenient, entries = True, islice(others, number, None)
                warn(f"{stream.path}: not quite JSON ({what[:100]}); read all the same")
                continue
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
