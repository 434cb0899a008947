"""Undo content codings (RFC 9110 8.4.1), up to a size."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import brotli
import zstandard

MAX_DECODED = 32 * 1024 * 1024
"""The most bytes of a decoded body. What follows is not compared."""
_MAX_CODINGS = 4
_STEP = 64
"""Bytes that a decoder without an output limit gets at a time. Brotli expands them to 40 MiB at most, zstd to 2."""

Decoder = Callable[[bytes], bytes]
"""Takes the next part of the coded body and returns decoded bytes."""


class CodingError(ValueError):
    """The coding is unknown, or the body is not in it."""


def undo(body: bytes, codings: str, limit: int = MAX_DECODED) -> tuple[bytes, bool]:
    """Undo the codings in the value of a Content-Encoding field. Return the decoded body and whether it is complete.

    A truncated body is decoded up to its end, and a body of more than `limit` decoded bytes up to there. Raises
    CodingError for an unknown coding, and for a body of which nothing can be decoded.
    """
    names = [name for each in codings.split(",") if (name := each.strip().lower()) and name != "identity"]
    if len(names) > _MAX_CODINGS:
        raise CodingError(f"{len(names)} content codings")
    complete = True
    for name in reversed(names):
        undo_one = _CODINGS.get(name)
        if undo_one is None:
            raise CodingError(f"unknown content coding {name[:40]!r}")
        if body:
            body, whole = undo_one(body, limit)
            complete = complete and whole
    return body, complete


def _zlib(bits: int) -> Callable[[bytes, int], tuple[bytes, bool]]:
    def undo_zlib(body: bytes, limit: int) -> tuple[bytes, bool]:
        decoded, rest = b"", body
        while True:  # a gzip body may have several members (RFC 1952 2.2)
            inflate = zlib.decompressobj(bits)
            try:
                part = inflate.decompress(rest, limit - len(decoded) + 1)
            except zlib.error as error:
                if decoded:
                    return decoded, False
                raise CodingError(str(error)) from None
            decoded += part
            if len(decoded) > limit:
                return decoded[:limit], False
            rest = inflate.unused_data.lstrip(b"\0")
            if not inflate.eof or not rest or bits != zlib.MAX_WBITS | 16 or not part:
                return decoded, inflate.eof

    return undo_zlib


def _deflate(body: bytes, limit: int) -> tuple[bytes, bool]:
    """In the zlib format (RFC 9110 8.4.1.2), or without it, as some servers send it."""
    try:
        return _zlib(zlib.MAX_WBITS)(body, limit)
    except CodingError:
        decoded, complete = _zlib(-zlib.MAX_WBITS)(body, limit)
    if not decoded and not complete:  # without a header to check, other data may look like the start of a block
        raise CodingError("the body is not in the deflate coding")
    return decoded, complete


def _brotli(body: bytes, limit: int) -> tuple[bytes, bool]:
    decompress = brotli.Decompressor()
    return _in_steps(decompress.process, decompress.is_finished, brotli.error, body, limit)


def _zstd(body: bytes, limit: int) -> tuple[bytes, bool]:
    # RFC 9659 3: a window of more than 8 MB must be refused.
    decompress = zstandard.ZstdDecompressor(max_window_size=1 << 23).decompressobj()
    return _in_steps(decompress.decompress, lambda: decompress.eof, zstandard.ZstdError, body, limit)


def _in_steps(
    decode: Decoder, finished: Callable[[], bool], error: type[Exception], body: bytes, limit: int
) -> tuple[bytes, bool]:
    """Decode with a decoder that has no output limit (brotli before 1.2), a few bytes at a time."""
    parts: list[bytes] = []
    size = 0
    for position in range(0, len(body), _STEP):
        try:
            part = decode(body[position : position + _STEP])
        except error as problem:
            if size:
                return b"".join(parts), False
            raise CodingError(str(problem)) from None
        if part:
            parts.append(part)
            size += len(part)
        if size > limit:
            return b"".join(parts)[:limit], False
        if finished():
            return b"".join(parts), True
    return b"".join(parts), False


_CODINGS: dict[str, Callable[[bytes, int], tuple[bytes, bool]]] = {
    "gzip": _zlib(zlib.MAX_WBITS | 16),
    "x-gzip": _zlib(zlib.MAX_WBITS | 16),
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
