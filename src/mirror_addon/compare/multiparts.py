"""Parse multipart bodies (RFC 2046 5.1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import quopri
import re
from email.message import Message
from typing import NamedTuple

from mirror_addon.compare.forms import FormError
from mirror_addon.compare.lists import media_range
from mirror_addon.compare.media_types import MediaType
from mirror_addon.compare.media_types import media_type

_MAX_PARTS = 10_000
_FOLD = re.compile(r"\r?\n[ \t]{1,999}")
_MAX_PARAMETERS = 100
"""Of one header field of a part. `email` takes a time that grows with their square and more."""
_HTTP = "application/http"
"""A part that is a response, as in a batch (OData 11.7): its own body is what is compared."""
_TOLD = frozenset({"content-type", "content-disposition", "content-length", "content-transfer-encoding"})
"""Fields of a part of which `kind` and `content` say what is to be compared."""
_UNTERMINATED = "(unterminated)"
"""The name of a part that stands for the delimiter that should end a body."""
Headers = tuple[tuple[bytes, bytes], ...]


class Part(NamedTuple):
    """One part. `kind`: its file name and type, and its status if it is a response. `headers`: its other fields, and
    those of the response."""

    kind: str
    type: MediaType
    content: bytes
    headers: Headers = ()

    def shown(self) -> str:
        """Its text, or length and digest of other bytes, after `kind` in parentheses."""
        try:
            text = self.content.decode()
        except UnicodeDecodeError:
            text = f"{len(self.content)} bytes, sha256 {hashlib.sha256(self.content).hexdigest()[:16]}"
        return f"({self.kind}) {text}" if self.kind else text


Parts = dict[str, list[Part]]
"""The parts by name, those without a name by number."""


def read_parts(body: bytes, boundary: str) -> Parts:
    """Parse a multipart body. Raises FormError."""
    try:
        delimiter = b"--" + boundary.encode("latin-1")
    except UnicodeEncodeError:
        raise FormError("a boundary that is not Latin-1") from None
    if body.count(delimiter) > _MAX_PARTS:
        raise FormError(f"more than {_MAX_PARTS} form parts")
    pieces = re.split(rb"(?:\A|\r?\n)" + re.escape(delimiter), body)
    ended = pieces[-1].startswith(b"--")
    if len(pieces) < 2 + ended:
        raise FormError("a multipart body without its boundary")
    parts: Parts = {}
    for number, piece in enumerate(pieces[1:-1] if ended else pieces[1:]):
        head, content = _split(piece if ended or number < len(pieces) - 2 else piece.removesuffix(b"\r\n"))
        name, part = _part(head, content)
        parts.setdefault(name or f"part {number}", []).append(part)
    if not ended:
        parts[_UNTERMINATED] = [Part("", MediaType(""), b"")]
    return parts


def _split(piece: bytes) -> tuple[bytes, bytes]:
    head, found, content = piece.partition(b"\r\n\r\n")
    if not found:
        head, found, content = piece.partition(b"\n\n")
    if not found:
        raise FormError("a part without an empty line after its header")
    return head, content


def _part(head: bytes, content: bytes) -> tuple[str, Part]:
    fields = _fields(head.decode("latin-1"))
    name, file_name = (fields.get_param(each, header="content-disposition") for each in ("name", "filename"))
    type_ = str(fields.get("content-type", ""))
    kinds = [file_name, media_range(type_)]
    declared = media_type(type_)
    headers = _headers(fields, _TOLD)
    content = _decoded(str(fields.get("content-transfer-encoding", "")), content)
    if declared.name == _HTTP and (b"\n\n" in content or b"\r\n\r\n" in content):
        inner, content = _split(content)
        line, _, rest = inner.decode("latin-1").partition("\n")
        kinds.append(" ".join(line.split()[:2]))  # the reason says nothing (RFC 9112 4)
        inner_fields = _fields(rest)
        headers += _headers(inner_fields)
        declared = media_type(str(inner_fields.get("content-type", "")))
    kind = "; ".join(str(each) for each in kinds if each)
    return (name if isinstance(name, str) else ""), Part(kind, declared, content, headers)


def _headers(fields: Message, without: frozenset[str] = frozenset()) -> Headers:
    return tuple(
        (name.encode("latin-1"), value.strip("<>").encode("latin-1", "replace"))
        for name, value in fields.items()
        if name.lower() not in without
    )


def _decoded(coding: str, content: bytes) -> bytes:
    """Without Content-Transfer-Encoding (RFC 2045 6); as it is where that cannot be undone."""
    coding = coding.strip().lower()
    if coding == "quoted-printable":
        return quopri.decodestring(content)
    if coding == "base64":
        try:
            return base64.b64decode(b"".join(content.split()), validate=True)
        except binascii.Error:
            pass
    return content


def _fields(head: str) -> Message:
    fields = Message()
    for line in _FOLD.sub(" ", head).splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip().isascii():
            if value.count(";") > _MAX_PARAMETERS:
                raise FormError(f"a part with a field of more than {_MAX_PARAMETERS} parameters")
            fields[name.strip()] = value.strip()
    return fields
