"""The framing of gRPC: messages with a prefix of five bytes, and what gRPC-Web makes of a response.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md and PROTOCOL-WEB.md
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import replace

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.codings import MAX_DECODED
from mirror_addon.compare.codings import CodingError
from mirror_addon.compare.codings import undo
from mirror_addon.compare.event_streams import StreamError
from mirror_addon.compare.headers import values_of

_TYPE_LENGTH = len("content-type")
_PREFIX = 5
_COMPRESSED, _TRAILERS = 0x01, 0x80
_MAX_MESSAGES = 50_000
_MAX_TRAILERS = 64 * 1024
_QUANTUMS = re.compile(rb"[^=]+={0,2}")


def read_frames(body: bytes, coding: str, cut: bool) -> list[bytes]:
    """The messages of a body, decompressed. `coding`: the value of grpc-encoding. A last one that was cut is left out.

    Raises StreamError.
    """
    messages: list[bytes] = []
    at = decoded = 0
    for flags, start, end in _frames(body):
        at = end
        message = body[start:end]
        if flags & _COMPRESSED:
            try:
                message, complete = undo(message, coding, MAX_DECODED - decoded)
            except CodingError as error:
                raise StreamError(f"a message in a coding that is not read: {error}") from None
            if not complete:
                raise StreamError("compressed messages that are too big or end too early")
        decoded += len(message)
        if len(messages) == _MAX_MESSAGES or decoded >= MAX_DECODED:
            raise StreamError("too many messages")
        messages.append(message)
    if at < len(body) and not cut:
        raise StreamError("not gRPC (it ends within a message)")
    return messages


def _frames(body: bytes) -> Iterator[tuple[int, int, int]]:
    """Flags, start and end of each whole frame."""
    at = 0
    while len(body) - at >= _PREFIX:
        end = at + _PREFIX + int.from_bytes(body[at + 1 : at + _PREFIX], "big")
        if end > len(body):
            return
        yield body[at], at + _PREFIX, end
        at = end


def is_web(content_type: str) -> bool:
    return content_type.lstrip().lower().startswith("application/grpc-web")


def unwrapped(response: Answer) -> Answer:
    """A response of gRPC-Web as the one of gRPC that it stands for: its text undone, and the trailers at the end of its
    body among the header fields. Any other response is returned as it is."""
    for name, value in response.headers:
        if len(name) == _TYPE_LENGTH and b"grpc-web" in value.lower():
            break
    else:
        return response  # soon, for nearly all
    types = values_of(response.headers, b"content-type")
    if not types or not is_web(types[0]) or not response.body:
        return response
    body = response.body
    if types[0].lower().startswith("application/grpc-web-text"):
        try:
            # Servers encode one part after the other, each with its padding.
            body = b"".join(
                base64.b64decode(part[: len(part) // 4 * 4]) for part in _QUANTUMS.findall(b"".join(body.split()))
            )
        except binascii.Error:
            return response
    trailers: list[tuple[bytes, bytes]] = []
    messages: list[bytes] = []
    at = 0
    for flags, start, end in _frames(body):
        if flags & _TRAILERS and not flags & _COMPRESSED and end - start <= _MAX_TRAILERS:
            for line in body[start:end].split(b"\r\n"):
                name, colon, value = line.partition(b":")
                if colon:
                    trailers.append((name.strip(), value.strip()))
        else:
            messages.append(body[at:end])
        at = end
    content = b"".join(messages) + body[at:]
    whole = len(response.body) >= response.bytes
    size = len(content) if whole else len(content) + response.bytes - len(response.body)
    return replace(response, headers=(*response.headers, *trailers), body=content, bytes=size)
