"""The JSON Schema of `compare.yaml`, for editors.

It accepts all that `rules_file` accepts. What a schema cannot say (the syntax of a path, of an RE2 regex) is left to
`rules_file`, whose errors name the line.
"""

from __future__ import annotations

from typing import Any

from mirror_addon.compare.causes import ID

Schema = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The draft that yaml-language-server and the editors built on it support in full."""

_TEXT: Schema = {"type": ["string", "number", "boolean"], "pattern": r"\S"}
"""A scalar: YAML takes `5` for a number, and the rule takes it for the text that it is."""
_PERCENTAGE = r"^\s*[-+]?[0-9_]*\.?[0-9_]*([eE][-+]?[0-9]+)?%\s*$"


def _switch(description: str) -> Schema:
    words = [
        form for word in ("true", "false", "yes", "no", "on", "off") for form in (word, word.title(), word.upper())
    ]
    return {"description": description, "enum": [True, False, *words]}


def _some(item: Schema, description: str) -> Schema:
    """One value, or a list of them."""
    return {
        "description": description,
        "anyOf": [item, {"type": "array", "items": item, "minItems": 1, "maxItems": 1000}],
    }


_DISTANCE: Schema = {
    "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": r"[0-9]"}],
}
_PLACE: Schema = {
    "path": _some(
        _TEXT, "JSONPath ($.a.b, [0], [*], .. for any depth), header:NAME, form:FIELD, /a/b/@id, status or body."
    ),
    "header": _some(_TEXT, "The name of a header field; the same as path: header:NAME."),
}
_EFFECT: Schema = {
    "ignore": _switch("Nothing at or below the path counts."),
    "presence": _switch("The value must be present and not null on both sides, but may be any."),
    "regex": {"description": "Both values match this RE2 regex as a whole.", **_TEXT},
    "tolerance": {
        "description": "Both values are numbers and at most so far apart: 0.01, or 1% of the larger one.",
        "anyOf": [
            *_DISTANCE["anyOf"],
            {
                "type": "object",
                "additionalProperties": False,
                "minProperties": 1,
                "properties": {"absolute": _DISTANCE, "relative": _DISTANCE},
            },
        ],
    },
    "unordered": {
        "description": "The order of a list does not count; key is the member that identifies its elements.",
        "anyOf": [
            _switch("The order does not count."),
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["key"],
                "properties": {"key": {"description": "The member that identifies an element.", **_TEXT}},
            },
        ],
    },
}
_ACCEPTED: Schema = _some(
    {"type": "string", "pattern": rf"^\s*{ID.pattern}\s*$"},
    "The id of a finding, or a list of them, as mirror.accept and report --accept write it: it does not count.",
)
_REQUESTS: Schema = {
    "endpoint": {
        "description": "Only for this endpoint, as a report prints it: GET /users/{id}, POST /graphql GetUser. "
        "May contain *.",
        "type": "string",
        "pattern": r"[/*]",
    },
    "method": _some({"type": "string", "pattern": r"^\s*[A-Za-z-]+\s*$"}, "Only for these methods."),
    "url": {"description": "Only for URLs in which this RE2 regex matches anywhere.", **_TEXT},
}
_NO_EFFECT = [*({"required": [name]} for name in _EFFECT), {"not": {"required": ["accepted"]}}]
"""Where none of these holds, a rule has only `accepted`."""
_SHARE: Schema = {"type": "string", "pattern": _PERCENTAGE}

RULES_SCHEMA: Schema = {
    "$schema": DRAFT,
    "title": "compare.yaml of mirror_addon: what does not count when two responses are compared",
    "type": ["object", "null"],
    "additionalProperties": False,
    "properties": {
        "rules": {"type": ["array", "null"], "items": {"$ref": "#/definitions/rule"}, "maxItems": 1000},
        "noise": {
            "description": "What counts as noise without a rule.",
            "type": ["object", "null"],
            "additionalProperties": False,
            "properties": {
                "shapes": _switch("false: known shapes (times, ids, tokens) count."),
                "relative": {"description": "Diffy's relative threshold, as in 20%.", **_SHARE},
                "absolute": {"description": "Diffy's absolute threshold, as in 0.03%.", **_SHARE},
            },
        },
    },
    "definitions": {
        "rule": {
            "description": "A place, one effect, and for which requests.",
            "type": "object",
            "additionalProperties": False,
            "properties": {**_PLACE, **_EFFECT, "accepted": _ACCEPTED, **_REQUESTS},
            "allOf": [
                {"oneOf": [{"required": [name]} for name in _PLACE]},
                {"oneOf": [*({"required": [name]} for name in _EFFECT), {"not": {"anyOf": _NO_EFFECT}}]},
            ],
        }
    },
}
