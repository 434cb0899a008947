"""Values of our options that mitmproxy has read and not yet converted.

mitmproxy keeps the values of options that no addon has registered yet, from `--set` and from config.yaml, in
`Options.deferred`, and converts them when the addon registers its options. Where one value cannot be converted it drops
the whole addon silently. So the values are looked at before.
"""

from __future__ import annotations

from typing import Any

from mirror_addon.options.nearby import near_bool
from mirror_addon.options.settings import BY_NAME
from mirror_addon.options.settings import Option


def convert_deferred(deferred: dict[str, Any]) -> list[str]:
    """Change the values of our options in `deferred`, in place, so that mitmproxy can convert all of them.

    Values from `--set` are lists of strings in a wrapper (`.val`); those from config.yaml are what YAML returned.
    A value that the option cannot have is removed. Return a message for each of those.
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
        return f"must be true or false{near_bool(texts[-1])}"
    if option.kind is str and len(texts) != 1:
        return "needs exactly one value"
    return ""


def _from_yaml(option: Option, given: Any) -> tuple[Any, str]:
    """Return the value in the type that mitmproxy accepts, and what is wrong with it, if anything."""
    if option.kind is bool:
        return given, "" if isinstance(given, bool) else f"must be true or false{near_bool(str(given))}"
    if option.kind is str:
        if isinstance(given, (int, float)) and not isinstance(given, bool):
            return str(given), ""
        return given, "" if isinstance(given, str) else "must be a string"
    if isinstance(given, str):
        return [given], ""
    if isinstance(given, list) and all(isinstance(text, str) for text in given):
        return given, ""
    return given, "must be a list of strings"
