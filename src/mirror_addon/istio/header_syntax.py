"""Values of header fields as Envoy's formatter reads them: `%VARIABLE(arguments)%`, and `%%` for a percent sign.

The states and steps are those of istio `pkg/config/validation/header_value_validator.go`. Whether Envoy knows the
variable is not checked.
"""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_STEPS: dict[str, tuple[dict[str, str], str]] = {
    "literal": ({"%": "percent"}, "literal"),
    "percent": ({"%": "literal", "(": "arguments"}, "variable"),
    "variable": ({"%": "literal", "(": "arguments"}, "variable"),
    "arguments": ({"[": "item", " ": "arguments"}, "string"),
    "item": ({'"': "string", " ": "item"}, ""),
    "string": ({"\\": "escape", ")": "end", '"': "after item"}, "string"),
    "escape": ({}, "string"),
    "after item": ({",": "item", "]": "after list", " ": "after item"}, ""),
    "after list": ({")": "end", " ": "after list"}, ""),
    "end": ({"%": "literal", " ": "end"}, ""),
}
"""By state: the next state by character, and for all other characters; an empty one is an error."""


def header_syntax_problem(value: str) -> str | None:
    """Return why Istio refuses a header's value, or None."""
    if _CONTROL.search(value):
        return "a header's value cannot hold control characters; remove them"
    if "%" not in value:
        return None
    state = "literal"
    for character in value:
        steps, otherwise = _STEPS[state]
        state = steps.get(character, otherwise)
        if not state:
            break
    if state != "literal":
        return "'%' begins a command operator that does not end; write '%%' for a percent sign"
    return None
