"""Functions that parse the text of an option. Each raises ValueError, whose message says what to write instead."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from pydantic import ByteSize
from pydantic import TypeAdapter
from pydantic import ValidationError

from mirror_addon.compare.record_path import RecordPath
from mirror_addon.compare.redaction import check_entry
from mirror_addon.istio.durations import parse_duration

SAFE_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS"})
"""RFC 9110 9.2.1, without TRACE."""
KNOWN_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "QUERY")
"""Those that are in use on the web. Others are accepted unless they are nearly one of these."""
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110 5.6.2: a method, or the name of a header field."""


@dataclass(frozen=True, slots=True)
class EndpointOverride:
    """One `HOST[:PORT][/SUBSET]=ADDRESS:PORT` of `mirror_endpoints`."""

    host: str
    subset: str
    address: str
    port: int
    service_port: int = 0
    """The port of the service for which it is; 0: every port."""


@dataclass(frozen=True, slots=True)
class MirrorURL:
    """One URL of `mirror_to`. `filter` is the text of its filter, which is not parsed here; empty: none."""

    scheme: str
    host: str
    port: int
    path: str
    filter: str = ""

    @property
    def address(self) -> str:
        """`localhost:9002`, `[::1]:9002`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        """As the option has it."""
        url = f"{self.scheme}://{self.address}{self.path}"
        separator = next((each for each in "|#;,!" if each not in self.filter), "|")
        return f"{separator}{self.filter}{separator}{url}" if self.filter else url


def parse_endpoint(text: str) -> EndpointOverride:
    """Parse `serviceB/v2=127.0.0.1:9012`, `reviews=[::1]:80` or `reviews:8080=127.0.0.1:9001`."""
    name, equals, target = text.partition("=")
    host, slash, subset = name.strip().partition("/")
    service_port = 0
    if (numbered := re.fullmatch(r"(.+):([0-9]+)", host)) is not None:
        host, service_port = numbered[1], _port(numbered[2])
    address, colon, port = target.strip().rpartition(":")
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    elif ":" in address:
        colon = ""
    if not (equals and colon and host and address and (subset or not slash)):
        raise ValueError("write HOST/SUBSET=ADDRESS:PORT, as in serviceB/v2=127.0.0.1:9002")
    return EndpointOverride(host, subset, address, _port(port), service_port)


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError(f"{text!r} is not a port; ports are 1 to 65535")
    return int(text)


def parse_mirror_url(text: str) -> MirrorURL:
    """Parse `http://localhost:9002/base`, or `|FILTER|URL`: as in mitmproxy's map_remote, the first character is the
    separator. That is any that cannot begin a URL."""
    text = text.strip()
    if not text or text[0].isalnum():
        return _url(text)
    separator = text[0]
    words, found, url = text[1:].partition(separator)
    if not found:
        raise ValueError("write a URL, or |FILTER|URL, as in |~d shop.test|http://localhost:9002")
    if not words.strip():
        raise ValueError(
            "the filter is empty; write only the URL, or a filter, as in |~d shop.test|http://localhost:9002"
        )
    try:
        return replace(_url(url.strip()), filter=words.strip())
    except ValueError as error:
        if separator not in url:
            raise
        raise ValueError(
            f"{error}; where the filter has a {separator} in it, begin with another character, as in "
            "#~d a.test | ~d b.test#http://localhost:9002"
        ) from None


def _url(text: str) -> MirrorURL:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise ValueError(f"{error}; write a URL such as http://localhost:9002") from None
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("write a URL with http or https and a host, as in http://localhost:9002")
    if url.query or url.fragment or url.username is not None:
        raise ValueError("only scheme, host, port and path are used here; leave the rest out")
    if re.search(r"[^\x21-\x7e]", url.path):
        raise ValueError("percent-encode the path")
    if port is None:
        port = 443 if url.scheme == "https" else 80
    if port == 0:
        raise ValueError("port 0 cannot be connected to")
    return MirrorURL(url.scheme, url.hostname, port, url.path.rstrip("/"))


def positive_duration(text: str) -> float:
    """Parse a Go duration above 0 (`1m30s`) into seconds."""
    seconds = parse_duration(text)
    if seconds <= 0:
        raise ValueError("must be more than 0")
    return seconds


def duration(text: str) -> float:
    """Parse a Go duration, which may be 0, into seconds."""
    seconds = parse_duration(text)
    if seconds < 0:
        raise ValueError("must not be negative")
    return seconds


def count(text: str) -> int:
    """Parse a whole number from 1 to 999999."""
    if not re.fullmatch(r"[0-9]{1,6}", text.strip()) or int(text) < 1:
        raise ValueError("must be a whole number, 1 or more")
    return int(text)


_SIZE = TypeAdapter(ByteSize)
_WHOLE_SIZE = re.compile(r"[0-9]+(?:\.[0-9]+)? ?[a-zA-Z]*")
"""pydantic ignores what follows a size: 64 of `64,000`."""


def size(text: str) -> int:
    """Parse a size (`64MiB`, `500kB`) into bytes."""
    try:
        found = int(_SIZE.validate_python(text.strip())) if _WHOLE_SIZE.fullmatch(text.strip()) else 0
    except (ValidationError, OverflowError):
        found = 0
    if found < 1:
        raise ValueError("must be a size, as in 64MiB or 500kB")
    return found


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a parser that accepts these texts only."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return parse


def methods(text: str) -> frozenset[bytes] | None:
    """Parse `all` (None), `safe`, or a list of methods with commas."""
    names = [name.strip() for name in text.split(",")]
    if names == ["all"]:
        return None
    if names == ["safe"]:
        return SAFE_METHODS
    for name in names:
        if not TOKEN.fullmatch(name) or name.upper() in ("ALL", "SAFE"):
            raise ValueError("must be all, safe, or methods with commas, as in GET,HEAD")
        if name.upper() not in KNOWN_METHODS and (near := get_close_matches(name.upper(), KNOWN_METHODS, 1, 0.65)):
            raise ValueError(f"{name} is no method of HTTP; did you mean {near[0]}?")
    return frozenset(name.upper().encode() for name in names)


def expiry(text: str) -> float | datetime | None:
    """Parse a duration into seconds from the start of the run, a time into a moment, an empty text into None."""
    if not text:
        return None
    try:
        return positive_duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a duration such as 2h, or a time such as 2026-11-22T20:00:00+08:00") from None
    return moment if moment.tzinfo else moment.astimezone()


def host_suffix(text: str) -> str:
    """Accept characters of a host name (RFC 3986 3.2.2, unreserved), or none."""
    if not re.fullmatch(r"[0-9A-Za-z._~-]*", text):
        raise ValueError("must have characters of a host name only: letters, digits, '-', '.'")
    return text


def namespace(text: str) -> str:
    """Accept a label of RFC 1123 in lower case."""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text):
        raise ValueError("must be a Kubernetes namespace: lower-case letters, digits and '-'")
    return text


def each(parse: Callable[[str], Any]) -> Callable[[Sequence[str]], tuple[Any, ...]]:
    """Return a parser of lists whose items are parsed by `parse`."""
    return lambda texts: tuple(parse(text) for text in texts)


def some_text(text: str) -> str:
    """Accept a text that is not empty."""
    if not text.strip():
        raise ValueError("must not be empty")
    return text


_NOT_IN_ADDRESSES = re.compile(r"[\s\x00-\x1f\x7f\[\]@/?#\\\"'<>,;=|]|^-")


def endpoint_override(override: str) -> EndpointOverride:
    """Parse an endpoint as `parse_endpoint` does, and refuse what is neither an IP address nor a name of a machine."""
    endpoint = parse_endpoint(override)
    if _NOT_IN_ADDRESSES.search(endpoint.address):
        raise ValueError(f"{endpoint.address!r} is no address; write an IP address or a host name")
    if re.fullmatch(r"[0-9.]+", endpoint.address):
        try:
            ipaddress.ip_address(endpoint.address)
        except ValueError:
            raise ValueError(f"{endpoint.address!r} is not an IP address") from None
    return endpoint


def optional(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a parser that makes None of an empty text."""
    return lambda text: parse(text) if text.strip() else None


def listening_port(text: str) -> int:
    """Parse a port from 1 to 65535."""
    return _port(text.strip())


def share(text: str) -> float:
    """Parse a percentage (`1%`) into a number from 0 to 1."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?%?", text.strip())
    if not match or float(match[1]) > 100:
        raise ValueError("must be a percentage from 0% to 100%, as in 1%")
    return float(match[1]) / 100


def percentage(text: str) -> float:
    """Parse a percentage with its sign (`1%`) into a number from 0 to 1. Without the sign 1 may be meant as 1 % or as
    all, so only 0 needs none."""
    found = share(text)
    if found and not text.strip().endswith("%"):
        raise ValueError("must be a percentage with its sign, from 0% to 100%, as in 1%")
    return found


def redacted(text: str) -> frozenset[bytes]:
    """Parse names of header fields, into lower case, and `$.path`, `form:FIELD` and `query:NAME`, with commas. An empty
    text has none."""
    found = set()
    for entry in (part.strip() for part in text.split(",")):
        if not entry:
            continue
        if not check_entry(entry):
            if not TOKEN.fullmatch(entry):
                raise ValueError(
                    f"{entry!r} is not the name of a header field, $.path, form:FIELD or query:NAME; write them with "
                    "commas, as in Authorization,Cookie,$..password,query:token"
                )
            entry = entry.lower()
        found.add(entry.encode())
    return frozenset(found)


def record_path(text: str) -> str:
    """Accept a path, with placeholders or without."""
    RecordPath(text)
    return text


def any_text(text: str) -> str:
    """Accept any text."""
    return text
