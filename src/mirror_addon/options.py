"""The `mirror_*` options: their names, defaults and help, and how their text becomes `Settings`.

Numbers, enums and durations are declared to mitmproxy as text and read here, because mitmproxy drops a whole addon
without a word when it cannot convert a value itself.
"""

from __future__ import annotations

import difflib
import ipaddress
import math
import re
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from pydantic import ByteSize
from pydantic import TypeAdapter
from pydantic import ValidationError

from mirror_addon.istio.resources import parse_duration

NORMALIZATIONS = ("NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES")
SAFE_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS"})
"""RFC 9110 9.2.1, without TRACE."""


class OptionError(ValueError):
    """A value that an option cannot take: `NAME=VALUE: what is wrong; what to write`."""


@dataclass(frozen=True, slots=True)
class EndpointOverride:
    """One `HOST[/SUBSET]=ADDRESS:PORT` of `mirror_endpoints`."""

    host: str
    subset: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class MirrorURL:
    """One URL of `mirror_to`."""

    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Settings:
    """The options, read. Times are seconds, sizes bytes."""

    rules: tuple[str, ...]
    endpoints: tuple[EndpointOverride, ...]
    to: tuple[MirrorURL, ...]
    namespace: str
    gateways: tuple[str, ...]
    use_remote_address: bool
    enabled: bool
    host_suffix: str
    request_id: bool
    path_normalization: str
    methods: frozenset[bytes] | None
    """None: all."""
    expires: float | datetime | None
    """Seconds from the start of the run, or a moment."""
    timeout: float
    concurrency: int
    workers: int
    queue: int
    max_body: int
    responses: str
    drain: float


def parse_endpoint(text: str) -> EndpointOverride:
    """`serviceB/v2=127.0.0.1:9012`, `reviews=[::1]:80`. Raises ValueError."""
    name, equals, target = text.partition("=")
    host, slash, subset = name.strip().partition("/")
    address, colon, port = target.strip().rpartition(":")
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    elif ":" in address:
        colon = ""
    if not (equals and colon and host and address and (subset or not slash)):
        raise ValueError("write HOST/SUBSET=ADDRESS:PORT, as in serviceB/v2=127.0.0.1:9002")
    return EndpointOverride(host, subset, address, _port(port))


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError(f"{text!r} is not a port; ports are 1 to 65535")
    return int(text)


def parse_mirror_url(text: str) -> MirrorURL:
    """`http://localhost:9002/base`. Raises ValueError."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise ValueError(f"{error}; write a URL such as http://localhost:9002") from None
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("write a URL with http or https and a host, as in http://localhost:9002")
    if url.query or url.fragment or url.username is not None:
        raise ValueError("only scheme, host, port and path count here; leave the rest out")
    if re.search(r"[^\x21-\x7e]", url.path):
        raise ValueError("percent-encode the path")
    if port is None:
        port = 443 if url.scheme == "https" else 80
    if port == 0:
        raise ValueError("port 0 cannot be connected to")
    return MirrorURL(url.scheme, url.hostname, port, url.path.rstrip("/"))


def _positive_duration(text: str) -> float:
    seconds = parse_duration(text)
    if seconds <= 0:
        raise ValueError("must be more than 0")
    return seconds


def _duration(text: str) -> float:
    seconds = parse_duration(text)
    if seconds < 0:
        raise ValueError("must not be negative")
    return seconds


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text.strip()) or int(text) < 1:
        raise ValueError("must be a whole number, 1 or more")
    return int(text)


_SIZE = TypeAdapter(ByteSize)


def _size(text: str) -> int:
    try:
        size = int(_SIZE.validate_python(text.strip()))
    except (ValidationError, OverflowError):
        size = 0
    if size < 1 or not math.isfinite(size):
        raise ValueError("must be a size, as in 64MiB or 500kB")
    return size


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return parse


def _methods(text: str) -> frozenset[bytes] | None:
    names = [name.strip() for name in text.split(",")]
    if names == ["all"]:
        return None
    if names == ["safe"]:
        return SAFE_METHODS
    for name in names:
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise ValueError("must be all, safe, or methods with commas, as in GET,HEAD")
    return frozenset(name.upper().encode() for name in names)


def _expires(text: str) -> float | datetime | None:
    if not text:
        return None
    try:
        return _positive_duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a duration such as 2h, or a time such as 2026-11-22T20:00:00+08:00") from None
    return moment if moment.tzinfo else moment.astimezone()


def _suffix(text: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z._~-]*", text):
        raise ValueError("must fit into a host name: letters, digits, '-', '.'")
    return text


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text):
        raise ValueError("must be a Kubernetes namespace: lower-case letters, digits and '-'")
    return text


def _each(parse: Callable[[str], Any]) -> Callable[[Sequence[str]], tuple[Any, ...]]:
    return lambda texts: tuple(parse(text) for text in texts)


def _some(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def _host_or_ip(override: str) -> EndpointOverride:
    endpoint = parse_endpoint(override)
    if re.fullmatch(r"[0-9.]+", endpoint.address):
        try:
            ipaddress.ip_address(endpoint.address)
        except ValueError:
            raise ValueError(f"{endpoint.address!r} is not an IP address") from None
    return endpoint


@dataclass(frozen=True, slots=True)
class Option:
    """One option as mitmproxy shows it. `kind` is a type that mitmproxy can convert without fail, but for bool."""

    name: str
    kind: Any
    default: Any
    parse: Callable[[Any], Any]
    help: str


OPTIONS = (
    Option(
        "mirror_rules",
        Sequence[str],
        ["rules"],
        _each(_some),
        "Istio YAML: files and folders. Reloaded when they change.",
    ),
    Option(
        "mirror_endpoints",
        Sequence[str],
        [],
        _each(_host_or_ip),
        "Where a destination listens, HOST[/SUBSET]=ADDRESS:PORT. Wins over the YAML.",
    ),
    Option(
        "mirror_to",
        Sequence[str],
        [],
        _each(parse_mirror_url),
        "The mirror without YAML: URLs to which requests that no rule claims are mirrored; they pass through as ever.",
    ),
    Option("mirror_namespace", str, "default", _name, "Namespace of this proxy and of documents without one."),
    Option(
        "mirror_gateways",
        Sequence[str],
        [],
        _each(_some),
        "Gateways this proxy acts as, 'mesh' among them. Decides which virtual services apply; none given: all.",
    ),
    Option(
        "mirror_use_remote_address",
        bool,
        True,
        bool,
        "An edge: append the client's address to the primary's X-Forwarded-For. A sidecar (false) leaves it alone.",
    ),
    Option("mirror_enabled", bool, True, bool, "Send shadows. Off: route as ever, mirror nothing."),
    Option(
        "mirror_host_suffix",
        str,
        "-shadow",
        _suffix,
        "Appended to the shadow's Host. Empty imitates Istio 1.28 and newer.",
    ),
    Option(
        "mirror_request_id",
        bool,
        False,
        bool,
        "Give routed requests without one an x-request-id, the same on primary and shadow.",
    ),
    Option(
        "mirror_path_normalization",
        str,
        "BASE",
        _one_of(*NORMALIZATIONS),
        "Of routed requests, Istio's names: NONE, BASE, MERGE_SLASHES, DECODE_AND_MERGE_SLASHES.",
    ),
    Option(
        "mirror_methods",
        str,
        "all",
        _methods,
        "Methods that are mirrored: all, safe (GET, HEAD, OPTIONS), or names with commas.",
    ),
    Option(
        "mirror_expires",
        str,
        "",
        _expires,
        "Duration (2h) or time (RFC 3339) after which nothing is mirrored any more.",
    ),
    Option(
        "mirror_timeout",
        str,
        "30s",
        _positive_duration,
        "Deadline of a whole shadow, connect to last byte, where the route sets none.",
    ),
    Option(
        "mirror_concurrency",
        str,
        "256",
        _count,
        "Shadows in flight per mirror target and worker.",
    ),
    Option("mirror_workers", str, "1", _count, "Worker processes that send shadows."),
    Option(
        "mirror_queue",
        str,
        "64MiB",
        _size,
        "Bytes of shadows that may wait, in proxy, pipe and worker together; beyond it they are dropped and counted.",
    ),
    Option("mirror_max_body", str, "64MiB", _size, "A bigger request body is not mirrored, and counted."),
    Option(
        "mirror_responses",
        str,
        "auto",
        _one_of("auto", "keep", "discard"),
        "The mirror's answers: keep (capped), discard, or auto: keep where there is a view.",
    ),
    Option("mirror_drain", str, "2s", _duration, "At shutdown, how long shadows may still finish."),
)

BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}


def parse_option(name: str, value: Any) -> Any:
    """The value of option `name`, read. Raises OptionError, which names option, value and cure."""
    try:
        return BY_NAME[name].parse(value)
    except ValueError as error:
        shown = " ".join(value) if isinstance(value, (list, tuple)) else value
        raise OptionError(f"{name}={shown}: {error}") from None


def parse_settings(values: Mapping[str, Any]) -> Settings:
    """All options, read. Raises OptionError for the first that cannot be."""
    return Settings(
        **{option.name.removeprefix("mirror_"): parse_option(option.name, values[option.name]) for option in OPTIONS}
    )


def unknown_option(name: str) -> str:
    """What to tell somebody who set an option `mirror_*` that does not exist."""
    short = {known.removeprefix("mirror_"): known for known in BY_NAME}
    near = difflib.get_close_matches(name.removeprefix("mirror_"), short, n=1)
    hint = f"did you mean {short[near[0]]}?" if near else f"there are {', '.join(BY_NAME)}"
    return f"unknown option {name}: {hint}"
