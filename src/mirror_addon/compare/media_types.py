"""What a body is: by its Content-Type, and by its first bytes where that says little or lies."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from mirror_addon.compare.values import short

_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]*))')
_SAFE_CHARSETS = re.compile(
    r"ascii|utf-(?:8|16|32)(?:-[bl]e|-sig)?|iso8859-\d+|cp\d+|koi8-[rtu]|gb\w+|big5\w*|shift_jis\w*|euc_\w+|iso2022_\w+"
    r"|mac-\w+|tis-620|hz|johab|ptcp154|kz1048"
)
"""Of Python's codecs those for texts; some others take quadratic time, or are no charsets."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_XML = re.compile(rb"\s*<\?xml\s", re.IGNORECASE)
_HTML = re.compile(rb"\s*(?:<!--.{0,1000}?-->\s*)?<(?:!doctype\s+html|html[\s>])", re.IGNORECASE | re.DOTALL)
_TEXT = re.compile(r"text/.*|application/(?:x-)?(?:javascript|ecmascript|yaml|toml|graphql|sql|sh|csv)")
_LINES_OF_JSON = re.compile(r"application/(?:(?:x-)?ndjson|jsonl|json-lines)")


_LOOKED_AT = 65536
"""Bytes by which a text is told from other bytes."""


class MediaType(NamedTuple):
    """A Content-Type, read. `name` is lower case, empty where there was none; names of parameters are lower case."""

    name: str
    parameters: tuple[tuple[str, str], ...] = ()

    def parameter(self, name: str) -> str:
        """The first parameter of that name, or empty."""
        return next((value for each, value in self.parameters if each == name), "")


def media_type(content_type: str) -> MediaType:
    """A Content-Type field's value, read leniently. The charset's name is made lower case."""
    name, _, rest = content_type.partition(";")
    parameters = []
    for key, quoted, plain in _PARAMETER.findall(";" + rest):
        value = re.sub(r"\\(.)", r"\1", quoted) or plain
        parameters.append((key.lower(), value.lower() if key.lower() == "charset" else value))
    return MediaType(name.strip().lower(), tuple(parameters))


def form_of(declared: MediaType, body: bytes) -> str:
    """What to take a body for: `json`, `json-lines`, `xml`, `html`, `form`, `multipart`, `text` or `bytes`.

    JSON, XML and HTML are found under another or no declaration too; whether it really is one turns out when it is
    parsed.
    """
    name = declared.name
    if _LINES_OF_JSON.fullmatch(name):
        return "json-lines"
    if name.endswith(("/json", "+json")):
        return "json"
    if name == "application/x-www-form-urlencoded":
        return "form"
    if name.startswith("multipart/") and declared.parameter("boundary"):
        return "multipart"
    start = body[:1200].removeprefix(codecs.BOM_UTF8)
    if start.lstrip()[:1] in (b"{", b"["):
        return "json"
    if _HTML.match(start) and not name.startswith("application/xhtml"):
        return "html"
    if name.endswith(("/xml", "+xml")) or _XML.match(start):
        return "xml"
    if name == "text/html":
        return "html"
    if _TEXT.fullmatch(name) or declared.parameter("charset"):
        return "text"
    return "bytes" if b"\0" in body[:1024] or not is_utf8(body) else "text"


def text_of(body: bytes, declared: MediaType, default: str = "utf-8") -> tuple[str, str]:
    """The body as text, and what is to be said of it, or empty. By byte order mark, then charset, then `default`.

    Bytes that the charset does not have survive as lone surrogates, so that no difference is lost.
    """
    for mark, charset in _BOMS:
        if body.startswith(mark):
            try:
                return body.decode(charset), ""
            except UnicodeDecodeError:
                break
    charset = safe_charset(declared) or default
    named = declared.parameter("charset")
    said = f"is said to be in {short(named, 40)!r}, which is no charset known here; read as UTF-8"
    said = said if named and not safe_charset(declared) else ""
    try:
        return body.decode(charset), said
    except UnicodeDecodeError:
        if named and not said:
            said = f"has bytes that {charset.upper()} does not have; read as UTF-8"
        return body.decode("utf-8", "surrogateescape"), said


def safe_charset(declared: MediaType) -> str:
    """Python's name of the charset of a Content-Type; empty where there is none, or none for texts."""
    try:
        charset = codecs.lookup(declared.parameter("charset")).name
    except (LookupError, ValueError):
        return ""
    return charset if _SAFE_CHARSETS.fullmatch(charset) else ""


def is_utf8(body: bytes) -> bool:
    """Is it UTF-8, by its beginning?"""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(body[:_LOOKED_AT], len(body) <= _LOOKED_AT)
    except UnicodeDecodeError:
        return False
    return True
