"""Compare forms by field: URL-encoded ones, and multipart bodies by part."""

from __future__ import annotations

import hashlib
import re
from email.message import Message
from urllib.parse import parse_qsl

from mirror_addon.compare.differences import Differences
from mirror_addon.compare.fields import compare_values
from mirror_addon.compare.values import short

_MAX_FIELDS = 10_000
FormFields = dict[str, list[str]]
"""The values of each field, by its name."""


class FormError(ValueError):
    """The body cannot be compared as a form. The message says why."""


def compare_forms(differences: Differences, primary: FormFields, shadow: FormFields) -> None:
    """Compare field by field. The order of fields of different names does not matter."""
    for name in dict.fromkeys((*primary, *shadow)):
        place = differences.place(f"form:{short(name)}")
        compare_values(differences, place, primary.get(name, []), shadow.get(name, []))


def urlencoded(text: str) -> FormFields:
    """Parse an URL-encoded form. Raises FormError."""
    try:
        pairs = parse_qsl(text.strip(), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="surrogateescape")
    except ValueError:
        raise FormError(f"more than {_MAX_FIELDS} form fields") from None
    fields: FormFields = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def multipart(body: bytes, boundary: str) -> FormFields:
    """Parse a multipart body (RFC 2046 5.1): its parts by name, those without a name by number. Raises FormError.

    The value of a part is its text, or length and digest of other bytes, after its file name and type in parentheses.
    """
    try:
        delimiter = b"--" + boundary.encode("latin-1")
    except UnicodeEncodeError:
        raise FormError("a boundary that is not Latin-1") from None
    if body.count(delimiter) > _MAX_FIELDS:
        raise FormError(f"more than {_MAX_FIELDS} form parts")
    pieces = re.split(rb"(?:\A|\r?\n)" + re.escape(delimiter), body)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise FormError("a multipart body without its boundary")
    fields: FormFields = {}
    for number, piece in enumerate(pieces[1:-1]):
        head, found, content = piece.partition(b"\r\n\r\n")
        if not found:
            head, found, content = piece.partition(b"\n\n")
        if not found:
            raise FormError("a part without an empty line after its header")
        name, kind = _described(head)
        fields.setdefault(name or f"part {number}", []).append(f"{kind}{_text(content)}")
    return fields


def _described(head: bytes) -> tuple[str, str]:
    """A part's name, and its file name and type in parentheses."""
    message = Message()
    for line in head.decode("latin-1").splitlines():
        field, colon, value = line.partition(":")
        if colon and field.strip().isascii():
            message[field.strip()] = value.strip()
    name, file_name = (message.get_param(each, header="content-disposition") for each in ("name", "filename"))
    kind = "; ".join(str(each) for each in (file_name, message.get("content-type")) if each)
    return (name if isinstance(name, str) else ""), f"({kind}) " if kind else ""


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return f"{len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()[:16]}"
