"""Forms compared by field: URL-encoded ones, and multipart bodies by part."""

from __future__ import annotations

import hashlib
import re
from email.message import Message
from urllib.parse import parse_qsl

from mirror_addon.compare.fields import compare_values
from mirror_addon.compare.findings import Findings
from mirror_addon.compare.values import short

_MAX_FIELDS = 10_000
Fields = dict[str, list[str]]


class FormError(ValueError):
    """Why a body is no form to compare by."""


def compare_forms(findings: Findings, primary: Fields, shadow: Fields) -> None:
    """Compare field by field. The order of fields of different names does not matter."""
    if list(primary) != list(shadow) and primary == shadow:
        return
    for name in dict.fromkeys((*primary, *shadow)):
        place = findings.place(f"form:{short(name)}")
        compare_values(findings, place, primary.get(name, []), shadow.get(name, []))


def urlencoded(text: str) -> Fields:
    """The fields of an URL-encoded form. Raises FormError."""
    try:
        pairs = parse_qsl(text.strip(), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="surrogateescape")
    except ValueError:
        raise FormError("more fields than a form has") from None
    fields: Fields = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def multipart(body: bytes, boundary: str) -> Fields:
    """The parts of a multipart body by name; those without one by number. Raises FormError.

    A part is told as its text, or as length and digest, with its type in front where it has one.
    """
    try:
        delimiter = b"--" + boundary.encode("latin-1")
    except UnicodeEncodeError:
        raise FormError("a boundary that is not ASCII") from None
    if body.count(delimiter) > _MAX_FIELDS:
        raise FormError("more parts than a form has")
    pieces = re.split(rb"(?:\A|\r?\n)" + re.escape(delimiter), body)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise FormError("multipart without its boundary")
    fields: Fields = {}
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
    """A part's name, and its file name and type as they are told."""
    message = Message()
    for line in head.decode("latin-1").splitlines():
        field, colon, value = line.partition(":")
        if colon and field.strip().isascii():
            message[field.strip()] = value.strip()
    name, file_name = (message.get_param(each, header="content-disposition") for each in ("name", "filename"))
    told = "; ".join(str(each) for each in (file_name, message.get("content-type")) if each)
    return (name if isinstance(name, str) else ""), f"({told}) " if told else ""


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return f"{len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()[:16]}"
