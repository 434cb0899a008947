"""What is wrong with the annotations that `istio` cannot read itself. Loads who can, when it is needed."""

from __future__ import annotations

from mirror_addon.istio.annotations import AnnotationChecks


def when_problem(text: str) -> str:
    """Of `mirror-addon/when`."""
    from mirror_addon.admission.when import compile_when  # loads mitmproxy

    try:
        compile_when(text.strip())
    except ValueError as error:
        return str(error)
    return ""


def ignore_problem(text: str) -> str:
    """Of `mirror-addon/ignore`."""
    from mirror_addon.compare.rules import DEFAULT_RULES
    from mirror_addon.compare.rules import RulesError

    try:
        DEFAULT_RULES.ignoring(text)
    except RulesError as error:
        return str(error)
    return ""


CHECKS: AnnotationChecks = {"when": when_problem, "ignore": ignore_problem}
