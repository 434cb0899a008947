"""The JSON Schema of a line of the record. docs/reference/recording.md has the same fields in words."""

from __future__ import annotations

from typing import Any

from mirror_addon.compare.calls import STATES
from mirror_addon.compare.record import VERSION
from mirror_addon.compare.rules_schema import DRAFT

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_MILLISECONDS: Schema = {"type": ["number", "null"], "minimum": 0}
_KINDS = ["missing", "extra", "type", "value", "order", "length", "call", "primary_id"]


def _described(description: str, schema: Schema) -> Schema:
    return {"description": description, **schema}


_KEPT: Schema = {
    "headers": _described(
        "Header fields with mirror_record_bodies; values of those in mirror_redact are [redacted].",
        {"type": "array", "items": {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 2}},
    ),
    "body": _described("The body, of at most 1 MiB; null where it was not kept.", {"type": ["string", "null"]}),
    "encoding": _described("How body is written.", {"enum": ["utf-8", "base64", None]}),
    "cut": _described("The body, or the stream, is not complete.", {"type": "boolean"}),
}
_SIDE: Schema = {
    "type": "object",
    "required": ["status"],
    "properties": {
        "status": _described("Null: no response.", {"type": ["integer", "null"], "minimum": 100, "maximum": 999}),
        "ms": _described("Last byte of the request to last byte of the response.", _MILLISECONDS),
        "first_ms": _described("To the first bytes of the response.", _MILLISECONDS),
        "connect_ms": _described("Name lookup, TCP and TLS; null on a kept connection.", _MILLISECONDS),
        "late_ms": _described("From the arrival of the last bytes to their read.", _MILLISECONDS),
        "clock": _described("How the times were taken.", {"enum": ["socket", "reader", "program", None]}),
        "bytes": _described("The body's, on the wire.", {"type": "integer", "minimum": 0}),
        "error": _described("A word that says why there is no complete response.", {"type": ["string", "null"]}),
        **_KEPT,
    },
}
RECORD_SCHEMA: Schema = {
    "$schema": DRAFT,
    "title": "A line of mirror_addon's record: a shadow, both responses, and how they compare",
    "type": "object",
    "required": ["version", "id", "method", "url", "target", "primary", "shadow"],
    "properties": {
        "version": {"const": VERSION},
        "id": _described("Of the shadow.", _TEXT),
        "flow": _described("Of the primary's flow, the same for all shadows of a request.", _TEXT),
        "time": _described("When the request began, RFC 3339 in UTC.", {"type": "string", "format": "date-time"}),
        "start": _described("The same in seconds since 1970.", {"type": "number"}),
        "rule": _described("As in: default/serviceB http[0].", _TEXT),
        "route": _described("Destination of the primary; null: passed through.", {"type": ["string", "null"]}),
        "target": _described("Destination of the mirror, or control:...", _TEXT),
        "control": _described("The target is the primary's own destination.", {"type": "boolean"}),
        "method": _TEXT,
        "url": _described("Absolute, as the client sent it, before any rewrite.", _TEXT),
        "endpoint": _described("What the report groups by: GET /users/{id}.", _TEXT),
        "draw": _described("The 64-bit random number of the request.", {"type": "integer", "minimum": 0}),
        "client": _described("ADDRESS:PORT of the client's connection.", _TEXT),
        "primary": {"$ref": "#/definitions/side"},
        "shadow": {"$ref": "#/definitions/side"},
        "verdict": _described("Null: not compared.", {"enum": ["same", "different", "noise", "failed", None]}),
        "differences": {"type": "array", "items": {"$ref": "#/definitions/difference"}},
        "more": _described("Differences beyond those listed.", {"type": "integer", "minimum": 0}),
        "notes": _described("What could not be compared, and why.", {"type": "array", "items": _TEXT}),
        "calls": _described(
            "The calls that the mirror made to other services, with mirror_sandbox.",
            {"type": "array", "items": {"$ref": "#/definitions/call"}},
        ),
        "twin": _described(
            "What was translated in the shadow's request, with mirror_twin.",
            {"type": "array", "items": {"$ref": "#/definitions/translation"}},
        ),
        "request": _described(
            "As the client sent it, with mirror_record_bodies.", {"type": "object", "properties": _KEPT}
        ),
    },
    "definitions": {
        "side": _SIDE,
        "call": {
            "type": "object",
            "required": ["method", "url", "state", "differences"],
            "properties": {
                "method": _TEXT,
                "url": _described("Absolute, as the mirror asked it; of a missing call, as the primary did.", _TEXT),
                "state": _described(
                    "answered, different: as the primary's call was. blocked, passed: the primary made no such call. "
                    "missing: only the primary made it.",
                    {"enum": list(STATES)},
                ),
                "differences": _described(
                    "How its query and body differ from the primary's.",
                    {"type": "array", "items": {"$ref": "#/definitions/difference"}},
                ),
                "note": _described("What else should be known of it; absent where there is nothing.", _TEXT),
                "primary_url": _described("Of the primary's call, where its path is another one.", _TEXT),
                "twin": _described(
                    "Values of the mirror that were read as the primary's, with mirror_twin.",
                    {"type": "array", "items": {"$ref": "#/definitions/translation"}},
                ),
            },
        },
        "difference": {
            "type": "object",
            "required": ["path", "kind"],
            "properties": {
                "path": _described("Where the responses differ, indices generalised.", _TEXT),
                "kind": {"enum": _KINDS},
                "primary": _described("The primary's value.", {}),
                "shadow": _described("The shadow's value.", {}),
                "noise": _described("Why it does not count; empty where it does.", _TEXT),
                "where": _described("The first place, exactly.", _TEXT),
            },
        },
        "translation": {
            "type": "object",
            "required": ["where", "primary", "shadow", "from"],
            "properties": {
                "where": _described("As in: path[1], query:id, $.order_id, form:csrf, cookie:sid.", _TEXT),
                "primary": _described("The primary's value, as the client sent it.", _TEXT),
                "shadow": _described("The mirror's value, as the mirror got it.", _TEXT),
                "from": _described("Id of the pair from which it was learned.", _TEXT),
            },
        },
    },
}
