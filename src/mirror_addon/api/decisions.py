"""What becomes of a request by the rules, for Python programs: as `mirror-addon explain` says it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mirror_addon.api.requests import decision_document
from mirror_addon.api.requests import read_request
from mirror_addon.options.settings import BY_NAME
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import Settings
from mirror_addon.options.settings import parse_settings
from mirror_addon.options.unknown_names import unknown_option
from mirror_addon.routing.trace import explain
from mirror_addon.rules.files import is_there
from mirror_addon.rules.files import rules_paths
from mirror_addon.rules.rule_set import RuleSet
from mirror_addon.rules.rule_set import load_rule_set
from mirror_addon.shadow.local_address import own_address

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Destination:
    """A service, and where it listens. `subset`, `port` and `endpoint` (`ADDRESS:PORT`) are None if there is none."""

    host: str
    subset: str | None
    port: int | None
    endpoint: str | None


@dataclass(frozen=True, slots=True)
class LeavingRequest:
    """A request as it leaves for the primary."""

    method: str
    scheme: str
    authority: str
    path: str
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class LocalReply:
    """A response that comes from the rules and not from an upstream."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str


@dataclass(frozen=True, slots=True)
class MirrorDecision:
    """One mirror of the rule. `sampled`: it was drawn. `skipped`: why it gets no shadow although it was drawn, or None.

    `authority` and `headers` are those of the shadow; None without one.
    """

    destination: Destination
    percent: float
    sampled: bool
    authority: str | None
    headers: tuple[tuple[str, str], ...] | None
    skipped: str | None


@dataclass(frozen=True, slots=True)
class RouteDecision:
    """What becomes of a request.

    `action`: `route`, `redirect`, `direct_response`, `fault_abort`, `cors_preflight`, `not_found`, `unavailable` or
    `passthrough`. `virtual_service` (or `route`, of the Gateway API): `namespace/name`. `rule`: `http[0]`. `match`: the
    index of the condition that matched. `trace`: why, a line for each step. What does not apply is None.
    """

    action: str
    virtual_service: str | None
    route: str | None
    rule: str | None
    match: int | None
    destination: Destination | None
    request: LeavingRequest | None
    response: LocalReply | None
    mirrors: tuple[MirrorDecision, ...]
    trace: tuple[str, ...]


class RoutingRules:
    """The rules of files and folders of Istio's YAML, compiled. Sends nothing and watches no file."""

    def __init__(self, *paths: str | os.PathLike[str], options: Mapping[str, Any] | None = None) -> None:
        """Read the rules. `options`: mitmproxy options of the addon by name, such as `{"mirror_namespace": "shop"}`.

        Raises ValueError where a path does not exist, some of the rules cannot be read, or an option is wrong. The
        message has a line for each finding, with file, line and field.
        """
        self._settings = _settings(paths, options or {})
        self._local_address = own_address().encode()
        to = self._settings.to
        for path in rules_paths(self._settings.rules):
            if not is_there(path) and (paths or not to):
                raise ValueError(f"there is no file or folder {str(path)!r}")
        try:
            if any(url.filter for url in to):
                from mirror_addon.admission.request_filter import check_filters  # imports mitmproxy

                check_filters(to)
            rule_set = load_rule_set(self._settings, self._local_address)
        except OSError as error:
            raise ValueError(f"the rules cannot be read: {error}") from None
        if rule_set.broken:
            raise ValueError("\n".join(self._found(rule_set)))
        self.findings: tuple[str, ...] = tuple(self._found(rule_set))
        """What Istio's validation and analysis find, `FILE:LINE:COL: SEVERITY CODE FIELD: message`."""
        self._table = rule_set.table

    def decide(
        self,
        method: str,
        url: str,
        headers: Headers = (),
        *,
        draw: int = 0,
        client: str | None = None,
        port: int | None = None,
    ) -> RouteDecision:
        """What becomes of a request. `draw`: Envoy's random number of it, 64 bits, which decides weights and percents.

        `client`: its IP address. `port`: the listener's; None: that of the URL. Text is UTF-8 on the wire, and a lone
        surrogate `\\udcXX` the byte XX. Raises ValueError where the request cannot be read.
        """
        pairs = [list(pair) for pair in headers]
        asked = {"method": method, "url": url, "headers": pairs, "draw": draw, "client": client, "port": port}
        request, number = read_request(asked)
        now = time.time()
        trace = explain(self._table, request, number, now)
        decision = self._table.route(request, number)
        return _decision(decision_document(decision, trace, self._settings, self._local_address, now))

    @staticmethod
    def _found(rule_set: RuleSet) -> list[str]:
        return [*map(str, rule_set.diagnostics), *rule_set.warnings]


def _settings(paths: Sequence[str | os.PathLike[str]], options: Mapping[str, Any]) -> Settings:
    values: dict[str, Any] = {option.name: option.default for option in OPTIONS}
    for name, value in options.items():
        if name not in BY_NAME:
            raise OptionError(unknown_option(name))
        kind = BY_NAME[name].kind
        wanted = kind if kind in (bool, str) else (list, tuple)
        if not isinstance(value, wanted):
            word = {bool: "a bool", str: "a str"}.get(kind, "a list of str")
            raise OptionError(f"{name}={value!r}: must be {word}, as in mitmproxy")
        values[name] = list(value) if wanted == (list, tuple) else value
    if paths:
        values["mirror_rules"] = [os.fspath(path) for path in paths]
    return parse_settings(values)


def _decision(document: dict[str, Any]) -> RouteDecision:
    request, response = document["request"], document["response"]
    return RouteDecision(
        document["action"],
        document["virtual_service"],
        document.get("route"),
        document["rule"],
        document["match"],
        _destination(document["destination"]) if document["destination"] else None,
        LeavingRequest(**{**request, "headers": _pairs(request["headers"])}) if request else None,
        LocalReply(**{**response, "headers": _pairs(response["headers"])}) if response else None,
        tuple(
            MirrorDecision(
                _destination(each),
                each["percent"],
                each["sampled"],
                each["authority"],
                None if each["headers"] is None else _pairs(each["headers"]),
                each["skipped"],
            )
            for each in document["mirrors"]
        ),
        tuple(document["trace"]),
    )


def _destination(found: dict[str, Any]) -> Destination:
    return Destination(found["host"], found["subset"], found["port"], found["endpoint"])


def _pairs(fields: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in fields)
