"""Our options before mitmproxy converts their values: one that it cannot would drop the whole addon silently."""

from __future__ import annotations

from typing import Any

from mirror_addon.options.settings import BY_NAME
from mirror_addon.options.settings import Option


def convert_deferred(deferred: dict[str, Any]) -> list[str]:
    """Make every value in `deferred` (mitmproxy's `Options.deferred`) one that mitmproxy converts without fail.

    What cannot be one is taken out; the result says of each of those what is wrong. Values from `--set` are lists of
    texts in a wrapper (`.val`), those from config.yaml whatever YAML gave.
    """
    problems = []
    for name in [name for name in deferred if name in BY_NAME]:
        given = deferred[name]
        texts = getattr(given, "val", None)
        if texts is not None:
            problem, shown = _problem_of_texts(BY_NAME[name], texts), " ".join(texts)
        else:
            deferred[name], problem = _from_yaml(BY_NAME[name], given)
            shown = str(given)
        if problem:
            problems.append(f"{name}={shown}: {problem}")
            del deferred[name]
    return problems


def _problem_of_texts(option: Option, texts: list[str]) -> str:
    if option.kind is bool and (len(texts) > 1 or (texts and texts[0] not in ("", "true", "false"))):
        return "must be true or false"
    if option.kind is str and len(texts) != 1:
        return "needs exactly one value"
    return ""


def _from_yaml(option: Option, given: Any) -> tuple[Any, str]:
    """The value as mitmproxy wants it, and what is wrong with it."""
    if option.kind is bool:
        return given, "" if isinstance(given, bool) else "must be true or false"
    if option.kind is str:
        if isinstance(given, (int, float)) and not isinstance(given, bool):
            return str(given), ""
        return given, "" if isinstance(given, str) else "must be a text"
    if isinstance(given, str):
        return [given], ""
    if isinstance(given, list) and all(isinstance(text, str) for text in given):
        return given, ""
    return given, "must be a list of texts"
