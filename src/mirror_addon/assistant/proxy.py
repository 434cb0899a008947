"""A running proxy as a source: its live page's `/api/status.json`, asked on loopback for each question.

The page is at the port of `mirror_web_port`, and at http://mirror-addon.test/ through the proxy's own port, except in
reverse mode. Both take the same request. Nothing else is asked for, so that nothing at the proxy changes. A proxy in
reverse mode passes the request on to its upstream, as any GET, so a port whose answer is not that of the page is asked
once and never again.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

import msgspec

from mirror_addon.assistant.pairs import AssistantError
from mirror_addon.assistant.pairs import PairView
from mirror_addon.assistant.pairs import finding_without_secrets
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.endpoint import endpoint_of
from mirror_addon.compare.record import to_json
from mirror_addon.compare.redaction import Redaction
from mirror_addon.compare.report.lines import ListedDifference

HOST = "mirror-addon.test"
"""The page's name: `live_page.magic_host`, which imports mitmproxy."""
SECONDS = 10.0
"""For which the proxy's answer is waited for."""
MAX_STATUS = 16 * 1024 * 1024
"""Bytes of it."""


class _Example(msgspec.Struct):
    id: str = ""
    method: str = ""
    url: str = ""
    where: str = ""
    kind: str = ""
    primary: Any = None
    shadow: Any = None


class _Finding(msgspec.Struct):
    id: str
    kind: str
    path: str
    endpoints: list[str]
    pairs: int
    share: float
    state: str
    change: str | None = None
    example: _Example | None = None


class _Side(msgspec.Struct):
    status: int | None = None
    ms: float | None = None


class _Pair(msgspec.Struct):
    id: str
    time: str
    target: str
    method: str
    url: str
    primary: _Side
    shadow: _Side
    differences: list[ListedDifference]
    more: int = 0
    notes: list[str] = []
    endpoint: str = ""


class _Status(msgspec.Struct):
    version: int
    time: str
    state: str
    counters: dict[str, int]
    targets: dict[str, dict[str, int]]
    findings: list[_Finding]
    differing: list[_Pair]
    rules: list[Any] = []
    why_nothing: list[str] = []
    problem: str = ""
    expires: str | None = None
    compared_since: str | None = None


class ProxySource:
    """The proxy at `address`, a loopback address and a port: its own, or that of the live page."""

    def __init__(self, address: tuple[str, int], redaction: Redaction) -> None:
        self.name = f"the proxy at {address[0]}:{address[1]}"
        self._address = address
        self._redaction = redaction
        self._refused = ""
        """Why the port is not asked any more."""

    def status(self) -> dict[str, Any]:
        status = self._status()
        whole = "whole responses are compared"
        if status.compared_since is None:
            whole = "only status codes; open the live page in a browser, or set mirror_responses=keep"
        return {
            "source": self.name,
            "time": status.time,
            "state": status.state,
            "why_nothing": status.why_nothing,
            "problem": status.problem or None,
            "expires": status.expires,
            "compared": whole,
            "compared_since": status.compared_since,
            "rules": status.rules,
            "counters": status.counters,
            "targets": status.targets,
        }

    def findings(self) -> Sequence[dict[str, Any]]:
        found = msgspec.to_builtins(self._status().findings)
        return [finding_without_secrets(each, self._redaction) for each in found]

    def pairs(self) -> Iterable[PairView]:
        """The newest differing pairs, the newest first. A running proxy keeps no others, and no bodies."""
        return [
            PairView(
                each.id,
                each.time,
                each.endpoint or endpoint_of(each.method, each.url),
                each.method,
                each.url,
                each.target,
                False,
                "different",
                msgspec.to_builtins(each.primary),
                msgspec.to_builtins(each.shadow),
                tuple(
                    Difference(one.path, one.kind, one.primary, one.shadow, one.noise, one.where)
                    for one in each.differences
                ),
                each.more,
                tuple(each.notes),
            )
            for each in self._status().differing
        ]

    def _status(self) -> _Status:
        if self._refused:
            raise AssistantError(self._refused)
        status, body = self._asked()
        found = _parsed(body) if status == 200 and len(body) <= MAX_STATUS else None
        if found is None:
            self._refused = (
                f"{self._where} does not show the live page of mirror_addon (status {status}); in reverse mode start "
                "the proxy with mirror_web_port and name that port with --proxy, then start this server again"
            )
            raise AssistantError(self._refused)
        if found.version != 1:
            raise AssistantError(f"{self._where} is a proxy with another version of mirror_addon; use that version")
        return found

    def _asked(self) -> tuple[int, bytes]:
        """Return status and body of the answer."""
        host, port = self._address
        client = http.client.HTTPConnection(host, port, timeout=SECONDS)
        try:
            client.request("GET", f"http://{HOST}/api/status.json", headers={"Host": HOST, "Connection": "close"})
            response = client.getresponse()
            return response.status, response.read(MAX_STATUS + 1)
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise AssistantError(
                f"{self._where}: {why}; start mirror-addon web, dump or console, and name its port, or that of "
                "mirror_web_port, with --proxy"
            ) from None
        finally:
            client.close()

    @property
    def _where(self) -> str:
        return f"{self._address[0]}:{self._address[1]}"


def _parsed(body: bytes) -> _Status | None:
    """The state; None if that is not what the body is."""
    try:
        return msgspec.json.decode(to_json(json.loads(body)), type=_Status)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return None
