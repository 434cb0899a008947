"""The protocol between proxy and worker: frames with a head in msgpack and a raw tail. Pure.

Framing
-------
A frame is

    length of the head (4 bytes, big-endian), length of the tail (4 bytes, big-endian), head, tail

over a stream socket, which keeps no boundaries of its own. The head is a msgpack array that begins with the frame's
kind. msgpack, because it is binary, small and quick, has bytes and text as separate types, and cannot execute code in
its reader, as pickle can. The tail is a body or another long value: it stands outside the head so that it is not copied
into and out of msgpack's buffers, and can be written to the socket as the object it is.

A head has at most `MAX_HEAD` bytes and a tail `MAX_TAIL`; `encode` refuses to make a longer one, and `Decoder` to wait
for one. No frame has a checksum, as nothing on the way can change it: a length above these limits, or a head that is no
array, means that the sender has an error, or that the stream was joined in the middle. Where the next frame begins
cannot be known then. `Decoder` raises FrameError; the worker ends, and the proxy replaces a worker that sent such a
frame and counts the shadows it had as `worker_lost`.

Kinds
-----
| kind    | from   | head after the kind                       | tail                           |
|---------|--------|-------------------------------------------|--------------------------------|
| CONFIG  | proxy  | the fields of a Recording                 |                                |
| REQUEST | proxy  | number, target, request, more[, pair]     | the body, or its first part    |
| CHUNK   | proxy  | number, last, trailers if there are any   | the next part                  |
| ABORT   | proxy  | number, reason                            |                                |
| FLUSH   | proxy  | target                                    |                                |
| ANSWER  | proxy  | number, and the fields of a PrimaryAnswer | the primary's response body    |
| NOTE    | proxy  | number, and the fields of an EndNote      |                                |
| CALLS   | proxy  | number, group, number of a shadow         | the mirror's calls, as JSON    |
| TRANS-  | proxy  | number, and the fields of an OwnCall      | the body of a mirror's call    |
| LATE    |        |                                           |                                |
| READY   | worker | pid                                       |                                |
| CREDIT  | worker | number, bytes of body passed on           |                                |
| RESULT  | worker | number, and the fields of a Report        | the kept body                  |
| RESULTS | worker | for each of several shadows, an array of  |                                |
|         |        | what follows the kind in a RESULT         |                                |
| VERDICT | worker | number, and the fields of a VerdictReport | differences, as JSON           |
| STATUS  | worker | array of (label, lanes, busy lanes,       |                                |
|         |        | waiting shadows); bytes kept now, and the |                                |
|         |        | most that were kept                       |                                |
| TRANS-  | worker | number, and the fields of a               | that body, if it has changed   |
| LATED   |        | TranslatedCall                            |                                |
| LOG     | worker | text                                      |                                |

Numbers are given by a dispatcher, upwards, to shadows and to ANSWERs and NOTEs. `target` and `request` are a packed
Target and a packed Head, as bytes: a worker finds a target's lanes by these bytes, and keeps a waiting shadow packed.

A streamed body begins in a REQUEST with `more` and goes on in CHUNKs, of which the last has `last`. ABORT gives up one
shadow, and may arrive after its RESULT was sent. FLUSH gives up what waits for a lane to the target; the error in each
RESULT is `breaker_open` then.

A shadow with `pair` (two values: its id, and the fields of a Subject) is compared and recorded. Its RESULT is followed
by a VERDICT, when the ANSWER of its group has arrived too. A NOTE reports the end of a shadow that the worker has not
sent, and is followed by a VERDICT as well. The VERDICT of a shadow whose subject has `calls` waits for CALLS too. A
CREDIT releases what an ANSWER, a NOTE or CALLS occupy in the proxy's queue; for a shadow it releases body bytes that
have been sent to the mirror, and the RESULT releases the rest.

A TRANSLATE asks for the primary's values in a call that a mirror makes itself (`mirror_sandbox` with `mirror_twin`).
Each is answered by a TRANSLATED, unless the worker ends; they have numbers of their own.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

import msgpack

MAX_HEAD = 16 * 1024 * 1024
"""Bytes. More than the header of any request, so that a greater length is a damaged one."""
MAX_TAIL = 64 * 1024 * 1024
"""Bytes. Longer request bodies are sent in parts, and no more of a response body is kept."""
CHUNK_OVERHEAD = 256
"""Bytes of memory that a part of a body takes besides its own, about. Both sides count them, or else a body in parts of
one byte would hardly count."""
_LENGTHS = struct.Struct(">II")


class Kind(enum.IntEnum):
    """The kinds of frames, see the module's docstring."""

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
    CALLS = 15
    TRANSLATE = 16
    TRANSLATED = 17


class FrameError(ValueError):
    """What was received is not a frame, or what should be sent would not be one."""


class Head(NamedTuple):
    """What a lane has to know about a request, besides its target and body."""

    method: bytes
    authority: bytes
    path: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    timeout: float
    """Seconds, from a lane's taking it up to the last byte of the response."""
    keep_body: int
    """Bytes of the response body to keep."""
    drain_body: int
    """Bytes of the response body after which reading stops."""
    tell_body: int
    """Bytes of the response body that go into the RESULT."""


OF_THIS_SIDE = frozenset({"breaker_open", "slow_upload", "unsendable"})
"""Errors of a Report that say nothing about the mirror: the shadow counts as dropped, and not as failed."""


SentRequest = tuple[bytes, tuple[tuple[bytes, bytes], ...], bytes | None]
"""Target, header fields and body of a request; without a body, it is the one that was handed over."""


class Report(NamedTuple):
    """The end of one shadow. `error` is empty, or the reason it failed or was given up; the other fields are those of
    ShadowResult."""

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
    ms: float | None = None
    clock: str = "program"
    late_ms: float | None = None
    adapted: tuple[str, ...] = ()
    """How the worker changed the request: names of the counters `adapted.<name>`."""
    request: SentRequest | None = None
    """What was sent in place of what was handed over, where the proxy shows it."""


class Recording(NamedTuple):
    """What a worker does with pairs."""

    budget: int
    """Bytes of bodies that may be kept at a time."""
    compare: bool = False
    """False: response bodies are discarded, and verdicts are null."""
    rules: str = ""
    """The text of `compare.yaml`."""
    rules_source: str = ""
    redact: tuple[bytes, ...] = ()
    """The entries of `mirror_redact`; see compare.redaction."""
    path: str = ""
    """The record's absolute path; empty: no record is written."""
    bodies: bool = False
    """Record the bodies too."""
    rotate: int = 0
    """The record's size in bytes at which another file is begun; 0: never."""
    prompt: bool = False
    """Send frames without waiting for more of them."""
    suffix: bytes = b""
    """What was appended to the Host of shadows."""
    descriptors: bytes = b""
    """The types of messages, a FileDescriptorSet."""
    redact_key: bytes = b""
    """The run's, so that all workers replace equal values by equal placeholders."""


class PrimaryAnswer(NamedTuple):
    """The primary's response, for all shadows of a group; see compare.answer.Answer for the fields."""

    group: str
    status: int | None
    headers: tuple[tuple[bytes, bytes], ...]
    kept: bool
    bytes: int
    ms: float | None
    error: str
    note: str
    """For the user: what is missing of it, and why."""
    uncontrolled: bool
    """The group gets no control, whatever the subjects of its shadows say."""
    connect_ms: float | None = None
    first_ms: float | None = None
    clock: str = "program"
    late_ms: float | None = None
    at: float | None = None
    """When the response was complete, in seconds since the epoch; None: now."""


class EndNote(NamedTuple):
    """The end of a shadow that was not sent by the worker which gets this."""

    id: str
    label: str
    subject: tuple[Any, ...]
    error: str
    """The reason it was dropped, or empty."""
    status: int | None = None
    bytes: int = 0
    ms: float | None = None
    again: bool = False
    """It was sent by a worker that is gone, and that may have recorded it."""


class VerdictReport(NamedTuple):
    """The end of a pair; see compare.comparison.Comparison for the first three fields."""

    verdict: str | None
    notes: tuple[str, ...]
    more: int
    """Differences that were found and are not listed."""
    recorded: bool | None
    """Whether its line was written; None: there is no record."""
    primary: tuple[int | None, float | None, int, str] | None
    """The primary's status, milliseconds, bytes and error; None: its end was never reported."""
    twin: tuple[tuple[str, ...], ...] | None = None
    """The fields of each Translation; None without `mirror_twin`."""
    endpoint: str = ""
    """As in the record, where the responses differ."""


class OwnCall(NamedTuple):
    """A call that the mirror with this label makes. `has_body`: the frame's tail is its body."""

    label: str
    method: bytes
    path: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    has_body: bool


class TranslatedCall(NamedTuple):
    """A mirror's call with the primary's values. `has_body`: the frame's tail is its body, which has changed.
    `translations`: the fields of each Translation. `others`: paths that the primary may have asked for, each with what
    is translated in it."""

    path: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    has_body: bool
    translations: tuple[tuple[str, ...], ...]
    others: tuple[tuple[bytes, tuple[tuple[str, ...], ...]], ...]


# One packer for all frames: making one costs more than packing a head. Text may hold bytes that are no UTF-8, from
# YAML or file names, as lone surrogates (PEP 383).
_packer = msgpack.Packer(unicode_errors="surrogateescape", autoreset=True)


def pack(value: Any) -> bytes:
    """msgpack of bytes, str, numbers, None and tuples of them."""
    try:
        packed: bytes = _packer.pack(value)
    except BaseException:
        _packer.reset()  # it keeps what it has packed so far, and would put that before the next value
        raise
    return packed


def unpack(data: bytes) -> Any:
    """The value that was packed. Raises FrameError for bytes that are not one value in msgpack."""
    try:
        return msgpack.unpackb(data, use_list=False, unicode_errors="surrogateescape", strict_map_key=False)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise FrameError(f"not msgpack: {error}") from None


def encode(head: tuple[Any, ...], tail_length: int = 0) -> bytes:
    """A frame without its tail, which the caller sends after it. Raises FrameError for one that is too long."""
    packed = pack(head)
    if len(packed) > MAX_HEAD or tail_length > MAX_TAIL:
        raise FrameError(f"a frame of {len(packed)} + {tail_length} bytes is too long")
    return _LENGTHS.pack(len(packed), tail_length) + packed


class Decoder:
    """Takes bytes as they arrive, and returns whole frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._needed = _LENGTHS.size
        """Bytes that the buffer must have before it is looked at again. A long frame arrives in many parts."""

    def feed(self, data: bytes) -> Iterator[tuple[tuple[Any, ...], bytes]]:
        """Yield (head, tail) of each frame that is now whole.

        Raises FrameError for bytes that are not frames. What comes after that cannot be decoded any more.
        """
        buffer = self._buffer
        buffer += data
        at = 0
        try:
            while len(buffer) - at >= self._needed:
                head_length, tail_length = _LENGTHS.unpack_from(buffer, at)
                if head_length > MAX_HEAD or tail_length > MAX_TAIL:
                    raise FrameError(f"a frame of {head_length} + {tail_length} bytes is too long")
                size = _LENGTHS.size + head_length + tail_length
                if len(buffer) - at < size:
                    self._needed = size
                    break
                self._needed = _LENGTHS.size
                start = at + _LENGTHS.size
                middle = start + head_length
                with memoryview(buffer) as view:  # a slice of a bytearray would copy it once more
                    packed = bytes(view[start:middle])
                    tail = bytes(view[middle : at + size])
                at += size
                head = unpack(packed)
                if not isinstance(head, tuple) or not head:
                    raise FrameError("the head of a frame is not an array")
                yield head, tail
        finally:  # also if the caller stops early: a frame is returned once
            if at:
                del buffer[:at]
