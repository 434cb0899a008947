"""HAR 1.2 as browsers and mitmproxy (`hardump`) write it, read one entry at a time.

A HAR holds bodies as text, with the content coding removed. The bytes that were sent are reconstructed from the charset
of Content-Type, from Content-Encoding, and from `bodySize`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any
from urllib.parse import urlencode
from urllib.parse import urlsplit

import ijson
from mitmproxy import flow as mitm_flow
from mitmproxy import http
from mitmproxy.net import encoding
from mitmproxy.net.http.headers import infer_content_encoding

from mirror_addon.captures.entry import Entry
from mirror_addon.captures.entry import flow_of
from mirror_addon.captures.stream import CaptureError
from mirror_addon.captures.stream import CaptureStream
from mirror_addon.captures.urls import RequestError
from mirror_addon.captures.urls import split_url
from mirror_addon.flows.heads import authority_port

_ONE_CLIENT = "har"
"""The connection of entries that name none: all entries of a browser's HAR are of one user."""
_UNKNOWN_LENGTH = -1
"""What HAR 1.2 has for a size that is not known."""


def read_har(stream: CaptureStream, warn: Callable[[str], None]) -> Iterator[Entry]:
    """The entries of a HAR. A document that is cut off is a warning; other defects raise CaptureError."""
    number = 0
    try:
        for entry in _entries(stream, warn, ijson.items):
            number += 1
            yield entry
    except UnicodeDecodeError:
        # mitmproxy writes a byte that is not UTF-8 as a lone surrogate, which ijson's fast backend (yajl) refuses. The
        # backend in Python takes it, but is seventeen times slower. Start again and skip what has been read.
        with CaptureStream(stream.path) as again:
            yield from islice(_entries(again, warn, ijson.get_backend("python").items), number, None)


def _entries(
    stream: CaptureStream, warn: Callable[[str], None], parse: Callable[..., Iterator[Any]]
) -> Iterator[Entry]:
    if stream.peek(3).startswith(b"\xef\xbb\xbf"):
        stream.read(3)
    number = 0
    entries = parse(stream, "log.entries.item", use_float=True)
    while True:
        try:
            entry = next(entries, None)
        except ijson.JSONError as error:
            told = error.args[0]
            what = (told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)).partition("\n")[0]
            if number and isinstance(error, ijson.IncompleteJSONError) and not stream.peek(1):
                warn(f"{stream.path}: the file ends after {number} entries; they are used")
                return
            after = f"entry {number}, before byte {stream.position}" if number else f"byte {stream.position}"
            raise CaptureError(f"{stream.path}: not JSON after {after}: {what}") from None
        if entry is None:
            return
        number += 1
        try:
            yield _entry(entry, stream.position)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            raise CaptureError(f"{stream.path}: entry {number} is not HAR 1.2: {what}") from None


def _entry(entry: dict[str, Any], position: int) -> Entry:
    asked, answered = entry["request"], entry["response"]
    started = datetime.fromisoformat(entry["startedDateTime"]).timestamp()
    ended = started + max(0.0, entry.get("time") or 0.0) / 1000
    try:
        scheme, authority, path = split_url(asked["url"].partition("#")[0])
    except RequestError:
        scheme, authority, path = b"", b"", b""  # ws:, data:, chrome-extension:
    headers = _headers(asked)
    version = _version(asked)
    if version == b"HTTP/1.1" and not any(name.lower() == b"host" for name, _ in headers):
        headers = ((b"Host", authority), *headers)
    content, problem = _request_body(asked, {name.lower(): value for name, value in headers})
    request = http.Request(
        urlsplit(asked["url"]).hostname or "",
        authority_port(authority, scheme),
        asked["method"].encode(),
        scheme,
        authority if version != b"HTTP/1.1" else b"",
        path,
        version,
        headers,
        content,
        None,
        started,
        started + max(0.0, (entry.get("timings") or {}).get("send") or 0.0) / 1000,
    )
    name = str(entry.get("connection") or "")
    flow = flow_of(request, _peer(name), (request.host, request.port))
    flow.response = _response(answered, request.timestamp_end or started, ended)
    if flow.response is None:
        flow.error = mitm_flow.Error(str(answered.get("_error") or "unanswered"), ended)
    if entry.get("_webSocketMessages") is not None or entry.get("_resourceType") == "websocket":
        problem = "websocket"
    elif not scheme:
        problem = "not_http"
    return Entry(flow, position, name or _ONE_CLIENT, left_out=problem)


def _peer(name: str) -> tuple[str, int]:
    """The client's address where `connection` is one, as in the HAR of `mirror-addon collect`; else 127.0.0.1."""
    host, _, port = name.rpartition(":")
    return (host, int(port)) if host and port.isdigit() else ("127.0.0.1", 0)


def _headers(message: dict[str, Any]) -> tuple[tuple[bytes, bytes], ...]:
    """The header fields without the pseudo-header fields of HTTP/2, which browsers list too."""
    return tuple(
        (_raw(each["name"]), _raw(each["value"])) for each in message["headers"] if not each["name"].startswith(":")
    )


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _version(message: dict[str, Any]) -> bytes:
    version = str(message.get("httpVersion", "")).lower()
    if version in ("h3", "http/3", "http/3.0"):
        return b"HTTP/3"
    return b"HTTP/2.0" if version in ("h2", "http/2", "http/2.0") else b"HTTP/1.1"


def _request_body(asked: dict[str, Any], headers: dict[bytes, bytes]) -> tuple[bytes | None, str]:
    """The body, or None and the reason why the HAR does not have it."""
    data = asked.get("postData")
    size = asked.get("bodySize", _UNKNOWN_LENGTH)
    if not data:
        return (None, "body_not_kept") if isinstance(size, int | float) and size > 0 else (b"", "")
    text, params = data.get("text"), data.get("params") or []
    if not text and params and headers.get(b"content-type", b"").startswith(b"application/x-www-form-urlencoded"):
        text = urlencode([(each["name"], each.get("value", "")) for each in params])
    if text is None or (not text and params):
        return None, "body_not_kept"
    return _body(text, data.get("encoding") or data.get("_encoding"), headers, size), ""


def _response(answered: dict[str, Any], began: float, ended: float) -> http.Response | None:
    if not answered.get("status"):
        return None
    headers = _headers(answered)
    content = answered.get("content") or {}
    text = content.get("text")
    body: bytes | None = b""
    if text:
        fields = {name.lower(): value for name, value in headers}
        body = _body(text, content.get("encoding"), fields, answered.get("bodySize", _UNKNOWN_LENGTH))
    elif text is None and (content.get("size") or 0) > 0:
        body = None
    reason = str(answered.get("statusText") or "").encode("latin-1", "replace")
    return http.Response(_version(answered), int(answered["status"]), reason, headers, body, None, began, ended)


def _body(text: str, coding: str | None, headers: dict[bytes, bytes], size: Any) -> bytes:
    """The bytes for which `text` stands. Of the possible encodings, the first that results in `size` bytes."""
    if coding == "base64":
        try:
            bodies = [base64.b64decode(text, validate=True)]
        except binascii.Error as error:
            raise ValueError(f"a body is not base64: {error}") from None
    else:
        bodies = []
        kind = headers.get(b"content-type", b"").decode("latin-1")
        for charset in (infer_content_encoding(kind), "utf-8"):
            try:
                bodies.append(text.encode(charset))
            except (UnicodeEncodeError, LookupError):
                continue
        bodies = bodies or [text.encode("utf-8", "surrogateescape" if _escaped(text) else "replace")]
    wrapped = headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()
    if wrapped and not any(len(body) == size for body in bodies):
        try:
            return encoding.encode(bodies[0], wrapped)
        except ValueError:
            return bodies[0]
    return next((body for body in bodies if len(body) == size), bodies[0])


def _escaped(text: str) -> bool:
    """Whether every lone surrogate in it stands for a byte that was not UTF-8 (PEP 383)."""
    return all(0xDC80 <= ord(each) <= 0xDCFF for each in text if 0xD800 <= ord(each) <= 0xDFFF)
