"""Checks of the annotations that the room `istio` cannot check itself, because their syntax belongs to other rooms.

Each takes an annotation's text and returns what is wrong with it, or an empty string. The modules that know the syntax
are imported when they are needed: most rules have no such annotation.
"""

from __future__ import annotations

from mirror_addon.istio.annotations import AnnotationChecks
from mirror_addon.istio.annotations import Caution


def when_problem(text: str) -> str:
    """Check `mirror-addon/when`, a mitmproxy filter expression."""
    from mirror_addon.admission.when import compile_when  # imports mitmproxy

    try:
        when = compile_when(text.strip())
    except ValueError as error:
        return str(error)
    if when.slow:
        return Caution(
            f"{when.slow[0]!r:.80} has a backreference or a lookaround, so Python matches it: a client can "
            "send a request for which that takes minutes, and the proxy does nothing else; write it without them"
        )
    return ""


def ignore_problem(text: str) -> str:
    """Check `mirror-addon/ignore`, paths that a comparison leaves out."""
    from mirror_addon.compare.rules import DEFAULT_RULES
    from mirror_addon.compare.rules import RulesError

    try:
        DEFAULT_RULES.ignoring(text)
    except RulesError as error:
        return str(error)
    return ""


CHECKS: AnnotationChecks = {"when": when_problem, "ignore": ignore_problem}
