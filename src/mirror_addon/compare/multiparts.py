"""Parse multipart bodies (RFC 2046 5.1)."""

from __future__ import annotations

import hashlib
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
Headers = tuple[tuple[bytes, bytes], ...]


class Part(NamedTuple):
    """One part. `kind`: its file name and type, and its status line if it is a response, whose fields are `headers`."""

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
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise FormError("a multipart body without its boundary")
    parts: Parts = {}
    for number, piece in enumerate(pieces[1:-1]):
        head, content = _split(piece)
        name, part = _part(head, content)
        parts.setdefault(name or f"part {number}", []).append(part)
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
    headers: Headers = ()
    if declared.name == _HTTP and (b"\n\n" in content or b"\r\n\r\n" in content):
        inner, content = _split(content)
        line, _, rest = inner.decode("latin-1").partition("\n")
        kinds.append(line.strip())
        inner_fields = _fields(rest)
        headers = tuple((key.encode("latin-1"), value.encode("latin-1")) for key, value in inner_fields.items())
        declared = media_type(str(inner_fields.get("content-type", "")))
    kind = "; ".join(str(each) for each in kinds if each)
    return (name if isinstance(name, str) else ""), Part(kind, declared, content, headers)


def _fields(head: str) -> Message:
    fields = Message()
    for line in _FOLD.sub(" ", head).splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip().isascii():
            if value.count(";") > _MAX_PARAMETERS:
                raise FormError(f"a part with a field of more than {_MAX_PARAMETERS} parameters")
            fields[name.strip()] = value.strip()
    return fields
