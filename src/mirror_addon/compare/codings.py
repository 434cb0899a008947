"""Content codings undone, up to a size."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import brotli
import zstandard

MAX_DECODED = 32 * 1024 * 1024
"""Bytes of a body after its coding is undone; what is beyond is not compared."""
_MAX_CODINGS = 4
_STEP = 64
"""Bytes: brotli makes some 40 MiB of so few at most, zstd 2."""

Decoder = Callable[[bytes], bytes]
"""Takes the next part and gives some of what it means."""


class CodingError(ValueError):
    """The body is not in the coding that its header names. The message says which, and what was wrong."""


def undo(body: bytes, codings: str, limit: int = MAX_DECODED) -> tuple[bytes, bool]:
    """The body without the codings of a Content-Encoding field, and whether all of it is there.

    A body that ends early is undone as far as it goes, and so is one of more than `limit` bytes. Raises CodingError for
    a coding that is unknown here, and for a body that is no such thing from its first byte on.
    """
    names = [name for each in codings.split(",") if (name := each.strip().lower()) and name != "identity"]
    if len(names) > _MAX_CODINGS:
        raise CodingError(f"{len(names)} content codings")
    complete = True
    for name in reversed(names):
        undo_one = _CODINGS.get(name)
        if undo_one is None:
            raise CodingError(f"content coding {name[:40]!r} is not known here")
        if body:
            body, whole = undo_one(body, limit)
            complete = complete and whole
    return body, complete


def _zlib(bits: int) -> Callable[[bytes, int], tuple[bytes, bool]]:
    def undo_zlib(body: bytes, limit: int) -> tuple[bytes, bool]:
        decoded, rest = b"", body
        while True:  # a gzip body may have several members
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
    """With zlib's frame as it should be, or without, as some servers have it."""
    try:
        return _zlib(zlib.MAX_WBITS)(body, limit)
    except CodingError:
        decoded, complete = _zlib(-zlib.MAX_WBITS)(body, limit)
    if not decoded and not complete:
        raise CodingError("no deflate")
    return decoded, complete


def _brotli(body: bytes, limit: int) -> tuple[bytes, bool]:
    decompress = brotli.Decompressor()
    return _in_steps(decompress.process, decompress.is_finished, brotli.error, body, limit)


def _zstd(body: bytes, limit: int) -> tuple[bytes, bool]:
    # Windows of more memory than RFC 9659 allows for the web are refused.
    decompress = zstandard.ZstdDecompressor(max_window_size=1 << 23).decompressobj()
    return _in_steps(decompress.decompress, lambda: decompress.eof, zstandard.ZstdError, body, limit)


def _in_steps(
    decode: Decoder, finished: Callable[[], bool], error: type[Exception], body: bytes, limit: int
) -> tuple[bytes, bool]:
    """For decoders that know no limit of their own (brotli before 1.2): as much at a time as can do no harm."""
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
