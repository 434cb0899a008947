"""URLs and text of recorded requests, without any normalisation.

Text stands for bytes as PEP 383 has it: UTF-8, where a lone surrogate `\\udcXX` is the byte XX that is not UTF-8.
"""

from __future__ import annotations


class RequestError(ValueError):
    """A request that cannot be read. The message names the key and says what its value must be."""


def to_bytes(text: str) -> bytes:
    """Raises RequestError for a lone surrogate that stands for no byte."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise RequestError(f"{error.object[error.start]!r} is no character, and stands for no byte") from None


def to_text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def split_url(url: str) -> tuple[bytes, bytes, bytes]:
    """Scheme, authority and path (with query) of an absolute URL. Nothing is decoded, encoded or normalised.

    Raises RequestError.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() not in ("http", "https"):
        raise RequestError("url: must be absolute, as in http://example.com/path")
    end = min((i for i in (rest.find("/"), rest.find("?"), rest.find("#")) if i >= 0), default=len(rest))
    authority, path = rest[:end], rest[end:]
    if not authority:
        raise RequestError("url: has no host")
    if not path.startswith("/"):
        path = "/" + path
    return scheme.lower().encode(), to_bytes(authority), to_bytes(path)
