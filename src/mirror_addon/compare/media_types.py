"""The format of a body: by its Content-Type, and by its first bytes if that is missing, vague or wrong."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import NamedTuple

from mirror_addon.compare.values import short

_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]*))')
_SAFE_CHARSETS = re.compile(
    r"ascii|utf-(?:8|16|32)(?:-[bl]e|-sig)?|iso8859-\d+|cp\d+|koi8-[rtu]|gb\w+|big5\w*|shift_jis\w*|euc_\w+|iso2022_\w+"
    r"|mac-\w+|tis-620|hz|johab|ptcp154|kz1048"
)
"""Python's text codecs. Others take quadratic time, such as punycode, or are not charsets, such as zip."""
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
_LINES_OF_JSON = re.compile(
    r"application/(?:(?:x-)?(?:ndjson|jsonl|json-?lines|json-stream)|stream\+json|[\w.-]+\+(?:x-)?ndjson)|text/(?:x-)?(?:ndjson|jsonl)"
)
_PROTOBUF = re.compile(
    r"application/(?:(?:x-)?(?:google-)?(?:protobuf|proto)|vnd\.google\.protobuf|[\w.-]+\+proto(?:buf)?)"
)
_STREAMS = {"text/event-stream": "event-stream", "application/json-seq": "json-sequence"}
_USUAL = 100
"""Characters of a Content-Type up to which its parsed form is kept: all responses of a server have a few."""
_SAMPLE = 65536
"""Bytes that are looked at to tell text from other bytes."""


class MediaType(NamedTuple):
    """A parsed Content-Type. `name` and the names of parameters are lower case; `name` is empty without a type."""

    name: str
    parameters: tuple[tuple[str, str], ...] = ()

    def parameter(self, name: str) -> str:
        """The first parameter of that name, or empty."""
        return next((value for each, value in self.parameters if each == name), "")


def media_type(content_type: str) -> MediaType:
    """Parse the value of a Content-Type field (RFC 9110 8.3), leniently. The value of `charset` becomes lower case."""
    return _known(content_type) if len(content_type) <= _USUAL else _parsed(content_type)


@lru_cache(maxsize=256)
def _known(content_type: str) -> MediaType:
    return _parsed(content_type)


def _parsed(content_type: str) -> MediaType:
    name, _, rest = content_type.partition(";")
    parameters = []
    for key, quoted, plain in _PARAMETER.findall(";" + rest):
        value = re.sub(r"\\(.)", r"\1", quoted) or plain
        parameters.append((key.lower(), value.lower() if key.lower() == "charset" else value))
    return MediaType(name.strip().lower(), tuple(parameters))


def is_stream(content_type: str) -> bool:
    """Whether a body of this type may have no end, so that a part of it is as good as the whole."""
    name = media_type(content_type).name
    return name in _STREAMS or name.endswith("+json-seq") or _LINES_OF_JSON.fullmatch(name) is not None


def form_of(declared: MediaType, body: bytes) -> str:
    """The format to try for a body: `json`, `json-lines`, `json-sequence`, `event-stream`, `xml`, `html`, `form`,
    `multipart`, `grpc` (gRPC-Web is unwrapped before), `protobuf`, `text` or `bytes`.

    JSON, XML and HTML are recognised under another Content-Type, or without one. The body is not parsed here, so it
    may turn out not to be in that format.
    """
    name = declared.name
    if by_name := _form_of_name(declared):
        return by_name
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


def _form_of_name(declared: MediaType) -> str:
    """The format that a Content-Type is for, or empty if it is for many, or wrong too often."""
    name = declared.name
    if name.startswith("application/grpc"):
        return "grpc"
    if _PROTOBUF.fullmatch(name):
        return "protobuf"
    if _LINES_OF_JSON.fullmatch(name):
        return "json-lines"
    if name in _STREAMS:
        return _STREAMS[name]
    if name.endswith("+json-seq"):  # RFC 8091
        return "json-sequence"
    if name.endswith(("/json", "+json")):
        return "json"
    if name == "application/x-www-form-urlencoded":
        return "form"
    return "multipart" if name.startswith("multipart/") and declared.parameter("boundary") else ""


def text_of(body: bytes, declared: MediaType, default: str = "utf-8") -> tuple[str, str]:
    """The body as text, and a remark about its charset for the notes, or an empty one.

    The charset is that of the byte order mark, else of the Content-Type, else `default`. Bytes that are invalid in it
    become lone surrogates, so that different bodies stay different texts.
    """
    for mark, charset in _BOMS:
        if body.startswith(mark):
            try:
                return body.decode(charset), ""
            except UnicodeDecodeError:
                break
    charset = safe_charset(declared) or default
    named = declared.parameter("charset")
    remark = ""
    if named and not safe_charset(declared):
        remark = f"has the unknown charset {short(named, 40)!r}; read as UTF-8"
    try:
        return body.decode(charset), remark
    except UnicodeDecodeError:
        if named and not remark:
            remark = f"has bytes that are invalid in {charset.upper()}; read as UTF-8"
        return body.decode("utf-8", "surrogateescape"), remark


def safe_charset(declared: MediaType) -> str:
    """Python's name of the charset of a Content-Type. Empty if it names none, or none that is safe for text."""
    named = declared.parameter("charset")
    if not named:
        return ""  # codecs.lookup searches its modules for a name that is none each time
    try:
        charset = codecs.lookup(named).name
    except (LookupError, ValueError):
        return ""
    return charset if _SAFE_CHARSETS.fullmatch(charset) else ""


def is_utf8(body: bytes) -> bool:
    """Whether the first 64 KiB of a body are valid UTF-8."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(body[:_SAMPLE], len(body) <= _SAMPLE)
    except UnicodeDecodeError:
        return False
    return True
