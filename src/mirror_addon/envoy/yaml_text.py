"""YAML that Envoy reads as it was meant, and that diffs well: fields in a fixed order, nothing aliased."""

from __future__ import annotations

import re
from typing import Any

import yaml

_PLAIN = re.compile(r"[A-Za-z/][\w./@-]*(?:[|:][\w./@|-]+)*")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"}
"""What some YAML parser or other takes for something else than text (Envoy's is yaml-cpp)."""


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
    """The text of a message; equal messages give equal text."""
    return yaml.dump(message, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=False)
