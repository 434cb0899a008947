"""Requests and decisions as JSON, for `explain`, `test` and Python programs.

Text stands for bytes as in `captures/urls.py`: UTF-8, where a lone surrogate `\\udcXX` is the byte XX.
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from mirror_addon.captures.urls import RequestError
from mirror_addon.captures.urls import split_url
from mirror_addon.captures.urls import to_bytes
from mirror_addon.captures.urls import to_text
from mirror_addon.options.settings import Settings
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Facts
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.local_replies import is_grpc
from mirror_addon.shadow.request import shadow_request

REQUEST_KEYS = frozenset({"method", "url", "headers", "port", "draw", "client"})
MAX_DRAW = 2**64 - 1

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110 5.6.2."""

_NOT_IN_HOSTS = re.compile(r"[\x00-\x20\x7f\"<>\\^`{|}]")
"""RFC 3986 3.2.2. Bytes that are not ASCII are taken literally, as the rest of the URL."""


def _integer(document: dict[str, Any], key: str, low: int, high: int) -> int | None:
    value = document.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise RequestError(f"{key}: must be a whole number, {low} to {high}")
    return value


def _headers(value: Any) -> Fields:
    if not isinstance(value, list):
        raise RequestError("headers: must be a list of [name, value]")
    for pair in value:
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair)):
            raise RequestError("headers: must be a list of [name, value]")
    return tuple((to_bytes(name), to_bytes(text)) for name, text in value)


def read_request(document: Any) -> tuple[Request, int]:
    """The request and its draw (0 where none is given) of `{"method", "url", "headers", "port"?, "draw"?, "client"?}`.

    A Host among the headers is the authority, as in HTTP/1.1. Raises RequestError.
    """
    if not isinstance(document, dict):
        raise RequestError("must be an object")
    if unknown := sorted(set(document) - REQUEST_KEYS):
        raise RequestError(f"unknown key {unknown[0]!r}; there are {', '.join(sorted(REQUEST_KEYS))}")
    method, url = document.get("method", "GET"), document.get("url")
    if not isinstance(method, str) or not method:
        raise RequestError("method: must be text")
    if not isinstance(url, str):
        raise RequestError("url: must be text")
    if not _TOKEN.fullmatch(method):
        raise RequestError(f"method: {method!r} is no method, such as GET")
    scheme, authority, path = split_url(url)
    _check_authority(to_text(authority))
    fields = _headers(document.get("headers") or [])
    for name, value in fields:
        if name.lower() == b"host":
            authority = value
            break
    client = document.get("client")
    if client is not None and not isinstance(client, str):
        raise RequestError("client: must be an IP address")
    port = _integer(document, "port", 1, 65535)
    if port is None:
        port = _url_port(split_url(url)[1], scheme)
    request = Request(
        method=to_bytes(method),
        scheme=scheme,
        authority=authority,
        path=path,
        headers=tuple(field for field in fields if field[0].lower() != b"host"),
        port=port,
        client=to_bytes(client or ""),
        facts=Facts((client or "", 0), ("", 0), "HTTP/1.1", time.time(), socket.gethostname()),
    )
    return request, _integer(document, "draw", 0, MAX_DRAW) or 0


def _check_authority(authority: str) -> None:
    """Raise RequestError for what a client cannot put into a URL before the path. A Host header may hold anything."""
    user, at, host = authority.rpartition("@")
    if at:
        raise RequestError(f"url: leave out {user + at!r}; clients send it as the header field Authorization")
    if _NOT_IN_HOSTS.search(host):
        raise RequestError(f"url: {host!r} is no host")
    _, bracket, rest = host.rpartition("]")
    if host.startswith("[") != bool(bracket):
        raise RequestError(f"url: {host!r} is no host; an IPv6 address is written [::1]")
    port = rest.rpartition(":")[2] if bracket or rest.count(":") == 1 else ""
    if port and not (port.isascii() and port.isdigit()):
        raise RequestError(f"url: {port!r} is not a port")


def _url_port(authority: bytes, scheme: bytes) -> int:
    host, colon, port = authority.rpartition(b":")
    if colon and port.isdigit() and (b":" not in host or host.endswith(b"]")):
        number = int(port)
        if not 1 <= number <= 65535:
            raise RequestError(f"url: {number} is not a port")
        return number
    return 443 if scheme == b"https" else 80


def read_lines(lines: Iterable[str], file: str) -> Iterator[tuple[int, Any]]:
    """Line number and value of each line of JSON Lines; blank lines are skipped.

    Raises RequestError whose message names file and line.
    """
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise RequestError(f"{file}:{number}: not JSON: {error}") from None
            yield number, value


def _fields(fields: Fields) -> list[list[str]]:
    return [[to_text(name), to_text(value)] for name, value in fields]


def _mirror(
    mirror: Mirror, decision: Decision, settings: Settings, local_address: bytes, now: float | None
) -> dict[str, Any]:
    authority = headers = None
    skipped = mirror.skipped
    if skipped is None and mirror.sampled and mirror.annotations is not None and now is not None:
        skipped = mirror.annotations.closed(now)
    if mirror.endpoint is not None and decision.request is not None:
        shadow = shadow_request(
            decision.request,
            mirror,
            body=0,
            own_address=local_address,
            suffix=settings.host_suffix.encode(),
            timeout=settings.timeout,
            grpc=is_grpc(decision.request),
        )
        authority, headers = to_text(shadow.authority), _fields(shadow.headers)
    return {
        "host": mirror.cluster.host,
        "subset": mirror.cluster.subset or None,
        "port": mirror.cluster.port or None,
        "endpoint": str(mirror.endpoint) if mirror.endpoint else None,
        "percent": mirror.percent,
        "sampled": mirror.sampled,
        "authority": authority,
        "headers": headers,
        "skipped": skipped,
    }


def decision_document(
    decision: Decision, trace: list[str], settings: Settings, local_address: bytes, now: float | None = None
) -> dict[str, Any]:
    """A decision as `explain --json` prints it. What does not apply is null.

    With `now`, in seconds since the epoch, a mirror whose annotations exclude that time has the reason in `skipped`
    (`expired`, `inactive`). Without it the time does not matter, so that routing tests do not depend on it.
    """
    rule, request, response, cluster = decision.rule, decision.request, decision.response, decision.cluster
    leaves = decision.action in (Action.ROUTE, Action.PASSTHROUGH)
    return {
        "action": str(decision.action),
        "virtual_service": rule.virtual_service if rule and not rule.route else None,
        "route": (rule.route or None) if rule else None,
        "rule": rule.rule if rule else None,
        "match": decision.match,
        "destination": {
            "host": cluster.host,
            "subset": cluster.subset or None,
            "port": cluster.port or None,
            "endpoint": str(decision.endpoint) if decision.endpoint else None,
        }
        if cluster
        else None,
        "request": {
            "method": to_text(request.method),
            "scheme": to_text(request.scheme),
            "authority": to_text(request.authority),
            "path": to_text(request.path),
            "headers": _fields(request.headers),
        }
        if request and leaves
        else None,
        "response": {
            "status": response.status,
            "headers": _fields(response.headers),
            "body": to_text(response.body),
        }
        if response
        else None,
        "mirrors": [_mirror(mirror, decision, settings, local_address, now) for mirror in decision.mirrors],
        "trace": trace,
    }
