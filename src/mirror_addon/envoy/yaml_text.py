"""YAML for Envoy: strings quoted where a YAML parser could read another type, fields in a fixed order, no aliases."""

from __future__ import annotations

import re
from typing import Any

import yaml

_PLAIN = re.compile(r"[A-Za-z/][\w./@-]*(?:[|:][\w./@|-]+)*")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"}
"""Words that some YAML parsers read as something other than a string (Envoy uses yaml-cpp)."""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _text)


def to_yaml(message: dict[str, Any]) -> str:
    """Return a message as YAML; equal messages give equal text."""
    return yaml.dump(message, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=False)
