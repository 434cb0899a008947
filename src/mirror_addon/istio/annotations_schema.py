"""The JSON Schema of the annotations `mirror-addon/...`.

It is for the annotations themselves and for objects that have them, so that an editor can use it for a VirtualService
together with the schema of its kind. Values are text, as all annotations; a pattern refuses only what
`mirror_annotations` refuses too.
"""

from __future__ import annotations

from typing import Any

from mirror_addon.istio.mirror_annotations import PREFIX

Schema = dict[str, Any]

_DURATION = r"[+]?(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+"
_TIME = r"[0-9]{4}-?[0-9W][0-9-]*.*[0-9Zz]"

ANNOTATIONS: dict[str, tuple[str, str]] = {
    "expires": (
        "Nothing is mirrored from then on: a time with its offset from UTC, or a Go duration since the file's last "
        "change, as in 72h.",
        rf"^\s*({_DURATION}|{_TIME})\s*$",
    ),
    "active": (
        "Mirrored only inside this ISO 8601 interval: START/END, START/DURATION, DURATION/END, as in "
        "2026-11-22T20:00+08:00/PT30M.",
        r"^\s*[0-9P][^/]*/[^/]*[0-9A-Za-z]\s*$",
    ),
    "max-rps": ("Requests a second to each mirror target, as in '5' or '0.5'.", r"^\s*[0-9]+(\.[0-9]+)?\s*$"),
    "max-requests": ("So many shadows of each rule to each target, then none.", r"^\s*[0-9]{1,12}\s*$"),
    "max-latency": (
        "While the median response of a mirror takes longer, fewer shadows go there: 500ms.",
        rf"^\s*{_DURATION}\s*$",
    ),
    "methods": ("Only these methods: safe, or names with commas.", r"^[^,]*[^,\s][^,]*(,[^,]*[^,\s][^,]*)*$"),
    "when": ("Only requests that match this mitmproxy filter: ~m POST & ~u /orders.", r"\S"),
    "sample-by": (
        "A user is always in or always out, instead of a draw: header:NAME, cookie:NAME, query:NAME, source.",
        r"^\s*(source|(header|cookie|query):.*\S.*)\s*$",
    ),
    "remove-headers": (
        "Header fields that are removed from the shadow, with commas.",
        r"^[^,]*[^,\s][^,]*(,[^,]*[^,\s][^,]*)*$",
    ),
    "set-headers": (
        'Header fields that are set on the shadow: a JSON object in the text, \'{"X-Mirror-Shadow": "1"}\'.',
        r"^\s*\{[\s\S]*\}\s*$",
    ),
    "twin": (
        "Keep the mirror's state in step: its own ids, tokens and cookies in place of the primary's. false: not here.",
        r"^\s*(true|false)\s*$",
    ),
    "ignore": ("Places that are not compared, with commas: $.a.b, header:NAME, status, body.", r"\S"),
}
"""Description and pattern by name without the prefix."""


def annotations_schema() -> Schema:
    """Return the schema, in draft 07. A name with the prefix that is not known is refused."""
    known = "|".join(ANNOTATIONS)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "mirror_addon's annotations of a VirtualService or route",
        "allOf": [{"$ref": "#/definitions/annotations"}],
        "properties": {
            "metadata": {"type": "object", "properties": {"annotations": {"$ref": "#/definitions/annotations"}}},
            "items": {"type": "array", "items": {"$ref": "#"}},
        },
        "definitions": {
            "annotations": {
                "type": ["object", "null"],
                "properties": {
                    PREFIX + name: {"description": description, "type": "string", "pattern": pattern}
                    for name, (description, pattern) in ANNOTATIONS.items()
                },
                "patternProperties": {f"^{PREFIX}(?!({known})$)": False},
            }
        },
    }
