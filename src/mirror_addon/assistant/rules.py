"""What the rules say to an assistant: explanations, findings of `check`, and the files themselves."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirror_addon.api.requests import decision_document
from mirror_addon.api.requests import read_request
from mirror_addon.assistant.pairs import AssistantError
from mirror_addon.captures.urls import RequestError
from mirror_addon.inputs.opening import read_input
from mirror_addon.istio.parsing import Source
from mirror_addon.options.settings import Settings
from mirror_addon.routing.trace import explain
from mirror_addon.rules.compare_file import MAX_BYTES
from mirror_addon.rules.files import is_there
from mirror_addon.rules.files import load_rules
from mirror_addon.rules.files import read_rules
from mirror_addon.rules.files import rules_paths
from mirror_addon.rules.rule_set import RuleSet
from mirror_addon.rules.rule_set import load_rule_set
from mirror_addon.shadow.local_address import own_address

MAX_FILE = 256 * 1024
"""Bytes of a file that are given."""
COMPARE = "compare"
"""The name of the resource for the rules of comparison; those of routing are `rules/0`, `rules/1`, ..."""


class RulesSource:
    """The rules that the settings name. Files are read for each question, so that it is about what they say now."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._local_address = own_address().encode()

    def explain(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What becomes of a request, as `mirror-addon explain --json` says it. Raises AssistantError."""
        rule_set = self.rule_set()
        try:
            asked, draw = read_request(dict(request))
        except RequestError as error:
            raise AssistantError(str(error)) from None
        now = time.time()
        trace = explain(rule_set.table, asked, draw, now)
        decision = rule_set.table.route(asked, draw)
        return decision_document(decision, trace, self._settings, self._local_address, now)

    def check(self) -> list[dict[str, Any]]:
        """The findings of `mirror-addon check`. Raises AssistantError."""
        settings = self._settings
        self._refuse_missing()
        try:
            loaded = load_rules(rules_paths(settings.rules), default_namespace=settings.namespace)
        except OSError as error:
            raise AssistantError(f"the rules cannot be read: {error}") from None
        return [dataclasses.asdict(each) for each in loaded.diagnostics]

    def files(self) -> dict[str, str]:
        """The files of the rules by the name of their resource."""
        found = {f"rules/{number}": source.name for number, source in enumerate(self._sources())}
        return found | ({COMPARE: self._settings.compare} if is_there(Path(self._settings.compare)) else {})

    def text(self, name: str) -> str:
        """The text of a resource. Raises AssistantError."""
        file = self.files().get(name)
        if file is None:
            raise AssistantError(f"there is no resource {name[:60]!r}; resources/list names them")
        try:
            if name == COMPARE:
                data = read_input(file, MAX_BYTES)
            else:
                data = next((each.text for each in self._sources() if each.name == file), b"")
        except OSError as error:
            raise AssistantError(f"{file}: {error.strerror or error}") from None
        text = data[:MAX_FILE].decode("utf-8", "replace")
        return text + (f"\n# cut after {MAX_FILE} bytes\n" if len(data) > MAX_FILE else "")

    def _sources(self) -> list[Source]:
        try:
            return read_rules([path for path in rules_paths(self._settings.rules) if is_there(path)])[0]
        except OSError as error:
            raise AssistantError(f"the rules cannot be read: {error}") from None

    def rule_set(self, *, primary_endpoints: bool = True) -> RuleSet:
        """The rules as a table; `primary_endpoints` is as in `RouteTable.build`. Raises AssistantError."""
        self._refuse_missing()
        try:
            rule_set = load_rule_set(self._settings, self._local_address, primary_endpoints=primary_endpoints)
        except OSError as error:
            raise AssistantError(f"the rules cannot be read: {error}") from None
        if rule_set.broken:
            errors = [str(each) for each in rule_set.diagnostics if each.severity == "error"]
            raise AssistantError("the rules cannot be read: " + "; ".join(errors[:5]))
        return rule_set

    def _refuse_missing(self) -> None:
        settings = self._settings
        for path in rules_paths(settings.rules):
            if not is_there(path) and not (settings.to and settings.rules == ("rules",)):
                raise AssistantError(f"there is no file or folder {str(path)!r}; name the rules with --rules")
