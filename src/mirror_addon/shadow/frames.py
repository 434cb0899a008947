"""The language of the pipe between proxy and worker: frames of a msgpack head and a raw tail. Pure.

    frame = length of head (4 bytes, big-endian), length of tail (4 bytes), head, tail

The head is an array that starts with the frame's kind; the tail carries body bytes, so that a body is never copied
into a msgpack buffer.

| kind    | from   | head after the kind                       | tail                           |
|---------|--------|-------------------------------------------|--------------------------------|
| CONFIG  | proxy  | the fields of a Recording                 |                                |
| REQUEST | proxy  | number, target, request, more[, party]    | the body, or its first part    |
| CHUNK   | proxy  | number, last                              | the next part                  |
| ABORT   | proxy  | number, reason                            |                                |
| FLUSH   | proxy  | target                                    |                                |
| ANSWER  | proxy  | number, and the fields of a PrimaryAnswer | its body                       |
| NOTE    | proxy  | number, and the fields of an EndNote      |                                |
| READY   | worker | pid                                       |                                |
| CREDIT  | worker | number, bytes of body passed on           |                                |
| RESULT  | worker | number, and the fields of a Report        | the kept body                  |
| RESULTS | worker | many of what follows the kind in a RESULT |                                |
| VERDICT | worker | number, and the fields of a VerdictReport | differences, as JSON           |
| STATUS  | worker | list of (label, lanes, active, queued),   |                                |
|         |        | kept bytes now and at most                |                                |
| LOG     | worker | text                                      |                                |

FLUSH gives up what waits for a lane to the target: the error in its RESULT is `breaker_open`. An ABORT may come for a
shadow that is over. A shadow's number counts up in one dispatcher. `target` and `request` are msgpack in bytes: a
worker holds shadows that wait as they came, and needs only the target's bytes to find their lanes.

A shadow with a `party` (id and Subject) is compared and recorded: its RESULT is followed, when the ANSWER of its group
has come too, by a VERDICT. A NOTE stands for a shadow that the worker has not sent, and brings a VERDICT as well. What
an ANSWER or NOTE occupies is given back by a CREDIT with its number.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

import msgpack

MAX_HEAD = 16 * 1024 * 1024
MAX_TAIL = 64 * 1024 * 1024
CHUNK_OVERHEAD = 256
"""What a part of a body costs besides its bytes, in objects; both sides count it."""
_LENGTHS = struct.Struct(">II")


class Kind(enum.IntEnum):
    """The kinds of frames, see above."""

    REQUEST = 1
    CHUNK = 2
    ABORT = 3
    READY = 4
    CREDIT = 5
    RESULT = 6
    STATUS = 7
    LOG = 8
    FLUSH = 9
    CONFIG = 10
    ANSWER = 11
    NOTE = 12
    VERDICT = 13
    RESULTS = 14


class FrameError(ValueError):
    """What was received is no frame, or what should be sent would be none."""


class Head(NamedTuple):
    """What a lane needs to know of a request, besides its target and body."""

    method: bytes
    authority: bytes
    path: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    timeout: float
    keep_body: int
    """Bytes of the answer's body to keep."""
    drain_body: int
    tell_body: int
    """Bytes of it that go into the RESULT."""


class Report(NamedTuple):
    """A worker's account of one shadow; see ShadowResult for the fields."""

    error: str
    detail: str
    status: int | None
    http_version: str
    headers: tuple[tuple[bytes, bytes], ...]
    kept: bool
    bytes: int
    truncated: bool
    connect_ms: float | None
    first_byte_ms: float | None
    total_ms: float


class Recording(NamedTuple):
    """What a worker does with pairs."""

    budget: int
    """Bytes of bodies that it may keep at a time."""
    compare: bool = False
    """False: answers are discarded, and verdicts are null."""
    rules: str = ""
    """The text of `compare.yaml`."""
    rules_source: str = ""
    redact: tuple[bytes, ...] = ()
    """Header names in lower case."""
    path: str = ""
    """The record, absolute; empty: none is written."""
    bodies: bool = False
    rotate: int = 0
    """The record's size in bytes at which another file is begun; 0: never."""
    prompt: bool = False
    """Tell the proxy everything at once."""


class PrimaryAnswer(NamedTuple):
    """The primary's answer to all shadows of a group; see compare.answer.Answer."""

    group: str
    status: int | None
    headers: tuple[tuple[bytes, bytes], ...]
    kept: bool
    bytes: int
    ms: float | None
    error: str
    note: str
    """For people: what is missing of it, and why."""
    uncontrolled: bool
    """There will be no control, whatever subjects say."""
    at: float | None = None
    """When it was answered, in seconds since the epoch; None: now."""


class EndNote(NamedTuple):
    """The end of a shadow that its worker did not see."""

    id: str
    label: str
    subject: tuple[Any, ...]
    error: str
    """The reason it was dropped, or empty."""
    status: int | None = None
    bytes: int = 0
    ms: float | None = None
    again: bool = False
    """A worker that is no more had it, and may have recorded it."""


class VerdictReport(NamedTuple):
    """What came of a pair."""

    verdict: str | None
    notes: tuple[str, ...]
    more: int
    recorded: bool | None
    """None: there is no record."""
    primary: tuple[int | None, float | None, int, str] | None
    """Status, milliseconds, bytes, error; None: it was never answered."""


_packer = msgpack.Packer(unicode_errors="surrogateescape", autoreset=True)


def pack(value: Any) -> bytes:
    """msgpack of bytes, str, numbers, None and tuples of them."""
    try:
        packed: bytes = _packer.pack(value)
    except BaseException:
        _packer.reset()  # else what was packed so far would stand before the next value
        raise
    return packed


def unpack(data: bytes) -> Any:
    """The value that `pack` was given. Raises FrameError."""
    try:
        return msgpack.unpackb(data, use_list=False, unicode_errors="surrogateescape", strict_map_key=False)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise FrameError(f"no msgpack: {error}") from None


def encode(head: tuple[Any, ...], tail_length: int = 0) -> bytes:
    """A frame up to its tail, which the caller sends after it. Raises FrameError for one that is too long."""
    packed = pack(head)
    if len(packed) > MAX_HEAD or tail_length > MAX_TAIL:
        raise FrameError(f"a frame of {len(packed)} + {tail_length} bytes")
    return _LENGTHS.pack(len(packed), tail_length) + packed


class Decoder:
    """Takes bytes as they arrive and gives whole frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._needed = _LENGTHS.size

    def feed(self, data: bytes) -> Iterator[tuple[tuple[Any, ...], bytes]]:
        """Yield (head, tail) of each frame that is now whole. Raises FrameError, after which the stream is lost."""
        buffer = self._buffer
        buffer += data
        at = 0
        try:
            while len(buffer) - at >= self._needed:
                head_length, tail_length = _LENGTHS.unpack_from(buffer, at)
                if head_length > MAX_HEAD or tail_length > MAX_TAIL:
                    raise FrameError(f"a frame of {head_length} + {tail_length} bytes")
                size = _LENGTHS.size + head_length + tail_length
                if len(buffer) - at < size:
                    self._needed = size
                    break
                self._needed = _LENGTHS.size
                start = at + _LENGTHS.size
                middle = start + head_length
                with memoryview(buffer) as view:
                    packed = bytes(view[start:middle])
                    tail = bytes(view[middle : at + size])
                at += size
                head = unpack(packed)
                if not isinstance(head, tuple) or not head:
                    raise FrameError("a frame's head is no array")
                yield head, tail
        finally:
            if at:
                del buffer[:at]
