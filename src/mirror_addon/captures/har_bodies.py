"""The bytes of a body for which a HAR has text, or the reason why it does not have all of them.

A HAR holds bodies as text, with the content coding removed. The bytes that were sent are reconstructed from the charset
of Content-Type, from Content-Encoding, and from two sizes: Content-Length, which counts the bytes on the wire (RFC 9110
8.6), and `bodySize`, which most programs compute from the text that they have, in bytes or in characters.
"""

from __future__ import annotations

import base64
import binascii
import email
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote
from urllib.parse import urlencode

from mitmproxy.net import encoding
from mitmproxy.net.http.headers import infer_content_encoding

from mirror_addon.compare.codings import CodingError
from mirror_addon.compare.codings import undo
from mirror_addon.compare.media_types import media_type
from mirror_addon.routing.fields import Fields

NOT_KEPT = "body_not_kept"
CUT = "body_cut"
ALTERED = "body_altered"
"""Why a request cannot be sent again: the HAR has no body, a part of it, or one that cannot be what was sent."""

_CODINGS = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate", "br": "br", "zstd": "zstd"}
"""Registered content codings (RFC 9110 8.4.1) that can be applied again. mitmproxy's `encode` must not be asked for
other names: it takes every codec of Python, such as base64 and rot13."""
_LOST_CODINGS = ("compress", "x-compress", "dcb", "dcz", "aes128gcm", "exi", "pack200-gzip")
"""Registered, but they cannot be applied again."""
_CHARSETS = ("utf-8", "latin-1", "cp1252", "utf-16-le")
"""What a text may have been, if its length is that of Content-Length."""
_NO_CONTENT = (204, 304)
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_REPLACED = "\ufffd"
"""What decoders write for bytes that are no text in the charset."""


def request_body(asked: dict[str, Any], headers: Fields) -> tuple[bytes | None, str]:
    """The body of a request, or None and the reason."""
    length, size = _length(headers), _size(asked.get("bodySize"))
    data = asked.get("postData")
    if isinstance(data, str):
        data = {"text": data}
    nothing: tuple[bytes | None, str] = (b"", "")
    if _had_body(str(asked.get("method", "")), headers, length, size):
        nothing = (None, NOT_KEPT)
    if not isinstance(data, dict) or not data:
        return nothing
    text, params = data.get("text"), data.get("params")
    params = params if isinstance(params, list) else []
    kind = _value(headers, b"content-type").lower()
    if not text and params:
        if not kind.startswith("application/x-www-form-urlencoded"):
            return None, NOT_KEPT
        return _form(params, length, size)
    if text is None:
        return nothing
    if not isinstance(text, str):
        return None, ALTERED  # a JSON value in place of its text
    if length is None and kind.startswith("multipart/"):
        if _lacks_a_file(text, headers):
            return None, NOT_KEPT
        if _lacks_its_end(text, headers):
            return None, CUT
    return _bytes(text, data.get("encoding") or data.get("_encoding"), headers, length, size, size)


def _had_body(method: str, headers: Fields, length: int | None, size: int) -> bool:
    """Whether a request for which there is no text had a body, by its sizes, else by the fields that say how it was
    sent (RFC 9112 6.3) and what it was."""
    if length is not None or size >= 0:
        return (size if length is None else length) > 0
    chunked = "chunked" in _value(headers, b"transfer-encoding")
    return chunked or (method.upper() in _WITH_BODY and bool(_value(headers, b"content-type")))


def response_body(answered: dict[str, Any], headers: Fields, status: int, method: str) -> bytes | None:
    """The body of a response; None where the HAR does not have all of it."""
    content = answered.get("content")
    content = content if isinstance(content, dict) else {}
    text, length = content.get("text"), _length(headers)
    if method.upper() == "HEAD" or status in _NO_CONTENT:
        return b""
    if isinstance(text, str) and text:
        # Firefox counts the head in bodySize; content.size is that of the body before it was cut.
        size, whole = _size(answered.get("bodySize")), _size(content.get("size"))
        return _bytes(text, content.get("encoding"), headers, length, size, whole)[0]
    if length is not None:
        return b"" if length == 0 else None
    if 300 <= status < 400:
        return None  # browsers never have the body of a redirect; some write an empty text for it
    # They leave out the text of an empty body, too.
    return b"" if text == "" or _size(content.get("size", 0)) == 0 else None


def _bytes(
    text: str, coding: Any, headers: Fields, length: int | None, size: int, whole: int
) -> tuple[bytes | None, str]:
    """The bytes for which `text` stands, or None and the reason why they are not those that were sent.

    `length` is Content-Length, `size` bodySize, and `whole` a number of bytes of which fewer are a part of the body.
    """
    packed = str(coding or "").lower() == "base64"
    bodies = _unpacked(text) if packed else _written(text, _value(headers, b"content-type"))
    if not bodies:
        return None, ALTERED
    replaced = not packed and _REPLACED in text
    expected = size if length is None else length
    # bodySize is computed from the text, so it does not tell whether the text has lost bytes.
    if (exact := _exactly(expected, bodies)) is not None and not (replaced and length is None):
        return exact, ""
    if replaced:
        return None, ALTERED
    wrapped = [each for each in _value(headers, b"content-encoding").replace(" ", "").split(",") if each != "identity"]
    if wrapped and all(each in _CODINGS for each in wrapped):
        body = bodies[0]
        if packed and _is_coded(body, wrapped):
            return body, ""
        for each in wrapped:
            body = encoding.encode(body, _CODINGS[each])
        return body, ""  # a compressor of its own: the length may differ
    if any(each in _LOST_CODINGS for each in wrapped):
        return None, ALTERED
    if length is not None and not packed:
        exact = _exactly(length, (_encoded(text, charset) for charset in _CHARSETS))
        if exact is not None:
            return exact, ""
    if max(map(len, bodies)) < (whole if length is None else length):
        return None, CUT
    return (bodies[0], "") if length is None else (None, ALTERED)


def _exactly(length: int, bodies: Iterable[bytes | None]) -> bytes | None:
    return next((body for body in bodies if body is not None and len(body) == length), None)


def _unpacked(text: str) -> list[bytes]:
    try:
        return [_base64(text)]
    except binascii.Error:
        return []


def _written(text: str, kind: str) -> list[bytes]:
    """What a text may have been: in the charset of its Content-Type, or in UTF-8. Empty if it has lost something."""
    if _LOST.search(text):
        return []
    charsets = (infer_content_encoding(kind), "utf-8")
    bodies = [body for charset in charsets if (body := _encoded(text, charset)) is not None]
    return bodies or [text.encode("utf-8", "surrogateescape")]


def _is_coded(body: bytes, codings: list[str]) -> bool:
    """Whether a body that is kept as bytes still has its content codings."""
    try:
        return undo(body, ",".join(codings))[1]
    except CodingError:
        return False


def _form(params: list[Any], length: int | None, size: int) -> tuple[bytes | None, str]:
    """A form of its parameters, with spaces as `+` or `%20`, whichever has the length."""
    pairs = [(str(each.get("name", "")), str(each.get("value") or "")) for each in params if isinstance(each, dict)]
    bodies = [urlencode(pairs).encode(), urlencode(pairs, quote_via=quote).encode()]
    bodies.append("&".join(f"{name}={value}" for name, value in pairs).encode())
    if length is None:
        return next((body for body in bodies if len(body) == size), bodies[0]), ""
    if (exact := _exactly(length, bodies)) is not None:
        return exact, ""
    return None, CUT if max(map(len, bodies)) < length else ALTERED


def _lacks_a_file(text: str, headers: Fields) -> bool:
    """Whether a part of a multipart body has the name of a file and no content, as browsers write files into a HAR."""
    kind = next(value for name, value in headers if name.lower() == b"content-type")
    parts = email.message_from_string(f"Content-Type: {kind.decode('latin-1')}\r\n\r\n{text}").walk()
    return any(part.get_filename() and not part.is_multipart() and not part.get_payload() for part in parts)


def _lacks_its_end(text: str, headers: Fields) -> bool:
    """Whether a multipart body has its delimiter, but not the one that ends it (RFC 2046 5.1.1)."""
    raw = next(value for name, value in headers if name.lower() == b"content-type").decode("latin-1")
    boundary = media_type(raw).parameter("boundary")
    return bool(boundary) and f"--{boundary}" in text and f"--{boundary}--" not in text


def _base64(text: str) -> bytes:
    """Of RFC 2045 6.8 (lines) or RFC 4648 5 (URL-safe), with padding or without. Raises binascii.Error."""
    packed = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except ValueError as error:
        raise binascii.Error(str(error)) from None


def _encoded(text: str, charset: str) -> bytes | None:
    try:
        return text.encode(charset)
    except (UnicodeEncodeError, LookupError, TypeError, ValueError):  # TypeError: a codec of Python that is no charset
        return None


def _length(headers: Fields) -> int | None:
    text = _value(headers, b"content-length")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _size(value: Any) -> int:
    """-1 where it is not known, as in HAR 1.2."""
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        return -1


def _value(headers: Fields, wanted: bytes) -> str:
    """The value of a header field, in lower case; empty where it is missing."""
    values = [value for name, value in headers if name.lower() == wanted]
    return b",".join(values).decode("latin-1").strip().lower() if wanted != b"content-length" else _one(values)


def _one(values: list[bytes]) -> str:
    """The same value several times is that value (RFC 9110 8.6)."""
    each = {value.strip() for value in values}
    return each.pop().decode("latin-1") if len(each) == 1 else ""


_LOST = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Lone surrogates that stand for no byte (PEP 383)."""
