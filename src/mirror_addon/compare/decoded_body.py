"""The body of a response without its content coding."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.codings import MAX_DECODED
from mirror_addon.compare.codings import CodingError
from mirror_addon.compare.codings import undo
from mirror_addon.compare.media_types import MediaType
from mirror_addon.compare.media_types import media_type
from mirror_addon.compare.media_types import text_of
from mirror_addon.compare.values import short


class Call(NamedTuple):
    """What a body of messages (gRPC, Protocol Buffers) belongs to.

    `descriptors`: a FileDescriptorSet, empty if there is none. `coding`: of compressed messages. `rewrite`: changes the
    texts in the messages, where `echoes` would change the bytes of another body; here their lengths stand before them.
    """

    url: str = ""
    descriptors: bytes = b""
    coding: str = ""
    rewrite: Callable[[str], str] | None = None


class DecodedBody(NamedTuple):
    """The body of a response without its content coding.

    `cut`: `content` is only its first part. `bytes`: the length of the whole decoded body, None if it is unknown.
    `part`: the name of the part of a multipart body that it is, or empty.
    """

    content: bytes
    type: MediaType
    cut: bool = False
    bytes: int | None = None
    part: str = ""
    call: Call = Call()

    def text(self) -> str:
        """As text, whatever its format."""
        return text_of(self.content, self.type)[0]


def read_body(response: Answer, side: str, notes: list[str], url: str = "", descriptors: bytes = b"") -> DecodedBody:
    """Decode the body of a response; it is empty if there is none. `side` names the response in `notes`. `url`: of the
    request. `descriptors`: as in `Call`."""
    fields: dict[bytes, list[str]] = {}
    for name, value in response.headers:  # in one pass, and most names have none of these lengths
        if len(name) in _LENGTHS and (low := name.lower()) in _FIELDS:
            fields.setdefault(low, []).append(value.decode("latin-1").strip(" \t\r\n"))
    declared = media_type(", ".join(fields.get(b"content-type", ())))
    call = Call(url, descriptors, ", ".join(fields.get(b"grpc-encoding", ())))
    return _decoded(response, declared, ", ".join(fields.get(b"content-encoding", ())), call, side, notes)


_FIELDS = frozenset((b"content-type", b"content-encoding", b"grpc-encoding"))
_LENGTHS = frozenset(map(len, _FIELDS))


def _decoded(
    response: Answer, declared: MediaType, codings: str, call: Call, side: str, notes: list[str]
) -> DecodedBody:
    content = response.body or b""
    cut = len(content) < response.bytes
    length = max(response.bytes, len(content)) if response.ended else None
    if cut:
        notes.append(f"{side}'s body cut at {len(content)} of {response.bytes} bytes")
    elif not response.ended:
        notes.append(f"{side}'s stream cut after {len(content)} bytes, compared as far as both went")
        cut = True
    if not codings or not content:
        return DecodedBody(content, declared, cut, length, "", call)
    if response.plain is not None:
        return DecodedBody(response.plain, declared, cut, None, "", call)
    try:
        content, complete = undo(content, codings)
    except CodingError as error:
        notes.append(f"{side}'s body: {error}; compared without decoding")
        return DecodedBody(content, declared, cut, length, "", call)
    if not complete and len(content) >= MAX_DECODED:
        notes.append(f"{side}'s body decoded up to {len(content)} bytes")
        cut = True
    elif not complete and not cut:
        notes.append(f"{side}'s body: its {short(codings, 40)} coding ends too early")
    return DecodedBody(content, declared, cut, None, "", call)
