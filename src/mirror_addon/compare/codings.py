"""Undo content codings (RFC 9110 8.4.1), up to a size."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable

import brotli
import zstandard

MAX_DECODED = 32 * 1024 * 1024
"""The most bytes of a decoded body. What follows is not compared."""
_MAX_CODINGS = 4
_MAX_MEMBERS = 1000
"""Of a gzip body. Each has a header and a window of its own, so that 20 bytes may take as long as 64 KiB."""
_SLICE = 64 * 1024
"""Bytes that zlib gets at a time: it copies what follows the end of a member."""
_STEP = 64
"""Bytes that the other decoders get at a time. Without an output limit, brotli expands them to 40 MiB at most."""
_SMALL = 64 * 1024
_SMALL_STEP = 8
"""The same up to a limit of `_SMALL`. zstd expands them to 256 KiB at most."""
_ZEROS = re.compile(rb"\0*")

Decoder = Callable[[bytes, int], bytes]
"""Takes the next part of the coded body, and how many decoded bytes are wanted. Returns decoded bytes, perhaps more."""


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


def undone_within(body: bytes, codings: str, limit: int) -> bytes | None:
    """A body with its codings undone; None where it has more than `limit` bytes then, or is not complete. Not much more
    is decoded for that, however the body was made: None also where a decoder cannot be limited. Raises CodingError as
    `undo` does."""
    if not _brotli_has_limit() and "br" in codings.lower():
        return None
    plain, complete = undo(body, codings, limit)
    return plain if complete else None


def _brotli_has_limit() -> bool:
    return hasattr(brotli.Decompressor, "can_accept_more_data")  # since brotli 1.2


def _zlib(bits: int) -> Callable[[bytes, int], tuple[bytes, bool]]:
    def undo_zlib(body: bytes, limit: int) -> tuple[bytes, bool]:
        parts: list[bytes] = []
        size = at = 0
        for _ in range(_MAX_MEMBERS):  # a gzip body may have several members (RFC 1952 2.2)
            inflate = zlib.decompressobj(bits)
            before = size
            while at < len(body) and not inflate.eof:
                piece = body[at : at + _SLICE]
                try:
                    part = inflate.decompress(piece, limit - size + 1)
                except zlib.error as error:
                    if size:
                        return b"".join(parts), False
                    raise CodingError(str(error)) from None
                at += len(piece) - len(inflate.unused_data)
                size += len(part)
                parts.append(part)
                if size > limit:
                    return b"".join(parts)[:limit], False
            if inflate.eof and (zeros := _ZEROS.match(body, at)) is not None:
                at = zeros.end()
            if not inflate.eof or at == len(body) or bits != zlib.MAX_WBITS | 16 or size == before:
                return b"".join(parts), inflate.eof
        raise CodingError(f"more than {_MAX_MEMBERS} gzip members")

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

    def decode(part: bytes, wanted: int) -> bytes:
        if not _brotli_has_limit():
            return bytes(decompress.process(part))
        return bytes(
            decompress.process(part, output_buffer_limit=wanted)
        )  # takes the whole part if that is not reached

    return _in_steps(decode, decompress.is_finished, brotli.error, body, limit)


def _zstd(body: bytes, limit: int) -> tuple[bytes, bool]:
    # RFC 9659 3: a window of more than 8 MB must be refused.
    decompress = zstandard.ZstdDecompressor(max_window_size=1 << 23).decompressobj()
    return _in_steps(
        lambda part, _: decompress.decompress(part), lambda: decompress.eof, zstandard.ZstdError, body, limit
    )


def _in_steps(
    decode: Decoder, finished: Callable[[], bool], error: type[Exception], body: bytes, limit: int
) -> tuple[bytes, bool]:
    """Decode with a decoder that may have no output limit (zstd, brotli before 1.2), a few bytes at a time."""
    parts: list[bytes] = []
    size = 0
    step = _STEP if limit > _SMALL else _SMALL_STEP
    for position in range(0, len(body), step):
        try:
            part = decode(body[position : position + step], limit - size + 1)
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
