"""One entry of a HAR as an exchange.

HAR 1.2 says what an entry looks like, and programs differ from it. What an entry says clearly in another way is used:
numbers as text, header fields as pairs, no value for an empty one, no start (it is that of the entry before). Only an
entry without a method or a URL cannot be used.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from mitmproxy import flow as mitm_flow
from mitmproxy import http

from mirror_addon.captures.entry import Entry
from mirror_addon.captures.entry import flow_of
from mirror_addon.captures.har_bodies import request_body
from mirror_addon.captures.har_bodies import response_body
from mirror_addon.captures.urls import RequestError
from mirror_addon.captures.urls import split_url
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.names import authority_port

_ONE_CLIENT = "har"
"""The connection of entries that name none: all entries of a browser's HAR are of one user."""
_HTTP_VERSIONS = {"h3": b"HTTP/3", "http/3": b"HTTP/3", "h2": b"HTTP/2.0", "http/2": b"HTTP/2.0"}
_JOINED = re.compile(rb"\r?\n")


class HarError(ValueError):
    """An entry that says too little. The message names the member."""


def har_entry(value: Any, position: int, before: float) -> Entry:
    """The exchange that an entry describes. `before`: when the entry before it started, in seconds since the epoch.
    Raises HarError."""
    if not isinstance(value, dict):
        raise HarError(f"it is {'null' if value is None else f'a {type(value).__name__}'}")
    asked, answered = _object(value.get("request")), _object(value.get("response"))
    method, url = asked.get("method"), asked.get("url")
    if not isinstance(method, str) or not method:
        raise HarError("request.method is missing")
    if not isinstance(url, str) or not url:
        raise HarError("request.url is missing")
    started = _moment(value.get("startedDateTime"), before)
    ended = started + _milliseconds(value.get("time"))
    request, problem = _request(asked, method, url, started)
    if timings := _object(value.get("timings")):
        request.timestamp_end = started + _milliseconds(timings.get("send"))
    name = str(value.get("connection") or "")
    flow = flow_of(request, _peer(name), (request.host, request.port))
    flow.response = _response(answered, method, request.timestamp_end or started, ended)
    if flow.response is None:
        flow.error = mitm_flow.Error(str(answered.get("_error") or "unanswered"), ended)
    if value.get("_webSocketMessages") is not None or value.get("_resourceType") == "websocket":
        problem = "websocket"
    return Entry(flow, position, name or _ONE_CLIENT, in_turn=not name, left_out=problem)


def _request(asked: dict[str, Any], method: str, url: str, started: float) -> tuple[http.Request, str]:
    """The request, and why it cannot be sent again, or nothing."""
    problem = ""
    try:
        scheme, authority, path = split_url(_sendable(url))
        authority = _ascii(authority.rpartition(b"@")[2])  # RFC 9110 4.2.4
        host = urlsplit(f"//{authority.decode('ascii')}").hostname or ""
        port = authority_port(authority, scheme)
    except RequestError:
        scheme, authority, path, host, port, problem = b"", b"", b"", "", 0, "not_http"  # data:, chrome-extension:
    except ValueError as error:  # of urlsplit
        raise HarError(f"request.url: {error}") from None
    headers = _with_told(_headers(asked), asked)
    version = _version(asked)
    if version == b"HTTP/1.1" and not any(name.lower() == b"host" for name, _ in headers):
        headers = ((b"Host", authority), *headers)
    body, missing = request_body(asked, headers)
    return http.Request(
        host,
        port,
        _raw(method),
        scheme,
        authority if version != b"HTTP/1.1" else b"",
        path,
        version,
        headers,
        body,
        None,
        started,
        started,
    ), problem or missing


def _sendable(url: str) -> str:
    """A URL without its fragment, and with what no request line can have percent-encoded: spaces and controls.

    Programs that show a URL to people write them so.
    """
    return _UNSENDABLE.sub(lambda found: f"%{ord(found[0]):02X}", url.strip().partition("#")[0])


_UNSENDABLE = re.compile(r"[\x00-\x20\x7f]")


def _ascii(authority: bytes) -> bytes:
    """An authority with an internationalised name in its ASCII form (RFC 5890)."""
    if authority.isascii():
        return authority
    host, colon, port = authority.partition(b":")
    try:
        return host.decode().encode("idna") + colon + port
    except UnicodeError:
        raise HarError("request.url: its host is no name") from None


def _with_told(headers: Fields, asked: dict[str, Any]) -> Fields:
    """The header fields, and those that an entry has in another place only: cookies, and the type of the body."""
    names = {name.lower() for name, _ in headers}
    cookies = asked.get("cookies")
    if b"cookie" not in names and isinstance(cookies, list):
        pairs = [f"{each['name']}={_text(each.get('value'))}" for each in cookies if _is_named(each)]
        if pairs:
            headers = (*headers, (b"Cookie", _raw("; ".join(pairs))))
    data = _object(asked.get("postData"))
    if b"content-type" not in names and (data.get("text") or data.get("params")):
        headers = (*headers, *_typed(data))
    return headers


def _typed(content: dict[str, Any]) -> Fields:
    """Content-Type by `mimeType`. Playwright writes application/octet-stream where there is none."""
    kind = content.get("mimeType")
    if not isinstance(kind, str) or "/" not in kind or kind.startswith("application/octet-stream"):
        return ()
    return ((b"Content-Type", _raw(" ".join(kind.split()))),)


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("name"), str) and bool(value["name"])


def _response(answered: dict[str, Any], method: str, began: float, ended: float) -> http.Response | None:
    """The response; None where the entry has no status, which stands for a request without a response."""
    status = _status(answered.get("status"))
    if not 100 <= status <= 999:
        return None
    headers = _headers(answered) or _typed(_object(answered.get("content")))
    reason = str(answered.get("statusText") or "").encode("latin-1", "replace")
    body = response_body(answered, headers, status, method)
    return http.Response(_version(answered), status, reason, headers, body, None, began, ended)


def _status(value: Any) -> int:
    """0 where there is none. Some write the reason behind it."""
    if isinstance(value, str):
        value = value.strip().partition(" ")[0]
    try:
        return int(float(value or 0))
    except (TypeError, ValueError, OverflowError):
        return 0


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _moment(value: Any, before: float) -> float:
    """A start as seconds since the epoch: ISO 8601 as in HAR 1.2, the date of an HTTP header field, or a number, in
    milliseconds where seconds would be in a distant future. Where it is none of these, `before`."""
    if isinstance(value, str):
        text = value.strip()
        for read in (datetime.fromisoformat, parsedate_to_datetime):
            try:
                return read(text).timestamp()
            except (ValueError, OverflowError):
                continue
        try:
            value = float(text)
        except ValueError:
            return before
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e14:
        return value / 1000 if value > 1e11 else float(value)
    return before


def _milliseconds(value: Any) -> float:
    """A duration in seconds; 0 where it is unknown, which HAR 1.2 writes as -1."""
    try:
        seconds = float(value) / 1000
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return seconds if 0 < seconds < math.inf else 0.0


def _peer(name: str) -> tuple[str, int]:
    """The client's address where `connection` is one, as in the HAR of `mirror-addon collect`; else 127.0.0.1."""
    host, _, port = name.rpartition(":")
    return (host, int(port)) if host and port.isascii() and port.isdigit() and len(port) < 6 else ("127.0.0.1", 0)


def _headers(message: dict[str, Any]) -> Fields:
    """The header fields without the pseudo-header fields of HTTP/2, which browsers list too.

    A line break cannot be in a value (RFC 9110 5.5). Chrome and older versions of Firefox join the lines of one name
    by it, except where white space follows, which is a folded line.
    """
    return tuple(
        (_raw(name.strip()), line)
        for name, value in _pairs(message.get("headers"))
        if name.strip() and not name.startswith(":")
        for line in _lines(_raw(value))
    )


def _pairs(headers: Any) -> Iterator[tuple[str, str]]:
    """Names and values of a list of objects (HAR 1.2), of pairs, or of lines, or of an object. What has no name is
    skipped."""
    if isinstance(headers, dict):
        headers = list(headers.items())
    elif isinstance(headers, str):
        headers = [line for line in headers.splitlines() if ":" in line]
    for each in headers if isinstance(headers, list) else ():
        match each:
            case {"name": str(name)} | {"key": str(name)}:
                value = each.get("value")
                yield from ((name, _text(one)) for one in (value if isinstance(value, list) else [value]))
            case [str(name), value] | (str(name), value):
                yield from ((name, _text(one)) for one in (value if isinstance(value, list) else [value]))
            case str(line) if not line.startswith(":"):
                name, _, value = line.partition(":")
                yield name.strip(), value.strip()


def _text(value: Any) -> str:
    """A value as text. A field without a value is an empty one."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _lines(value: bytes) -> Iterator[bytes]:
    value = value.strip(b" \t\r\n")  # RFC 9110 5.5
    if b"\n" not in value:
        yield value
        return
    folded = re.sub(rb"\r?\n[ \t]+", b" ", value)  # RFC 9112 5.2
    yield from (line for line in _JOINED.split(folded) if line)


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape") if _escapes(text) else text.encode("utf-8", "replace")


def _escapes(text: str) -> bool:
    """Whether every lone surrogate in it stands for a byte that was not UTF-8 (PEP 383)."""
    return all(0xDC80 <= ord(each) <= 0xDCFF for each in text if 0xD800 <= ord(each) <= 0xDFFF)


def _version(message: dict[str, Any]) -> bytes:
    """HTTP/1.1 where it is unknown. Browsers write `h2`, others `HTTP/2.0` or `http/2`."""
    return _HTTP_VERSIONS.get(str(message.get("httpVersion", "")).strip().lower().removesuffix(".0"), b"HTTP/1.1")
