"""The metadata of the flows of a pair. `-w` stores it, so that a file that is read again shows its pairs.

mitmproxy's file format takes numbers, text and lists of them. A comparison is therefore kept as JSON text, whose
escapes can also hold lone surrogates, which UTF-8 cannot.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING
from typing import Any

from mitmproxy import flow as mitm_flow
from mitmproxy import http

from mirror_addon.compare.difference import Difference
from mirror_addon.compare.twin_values import Translation

if TYPE_CHECKING:
    from mirror_addon.compare.calls import Call
    from mirror_addon.compare.comparison import Comparison

ID_KEY = "mirror_id"
"""The id of a flow when its pair was made. mitmproxy gives new ids to flows that are loaded or duplicated in a view."""
PRIMARY_KEY = "mirror_of"
"""Of a shadow: the id of its primary."""
SHADOWS_KEY = "mirror_shadows"
"""Of a primary: the `mirror_id` of each shadow that has a flow."""
ASKED_KEY = "mirror_asked"
"""Of a primary: method, scheme, authority and path as the client sent them, before any rewrite; decoded as Latin-1."""
MISSING_KEY = "mirror_missing"
"""Of a primary: `LABEL: REASON` of each shadow that was dropped, or whose flow was removed from the view."""
TARGET_KEY = "mirror_target"
CONTROL_KEY = "mirror_control"
"""Of a shadow that went to the primary's own destination: what differs there is noise of the primary."""
RULE_KEY = "mirror_rule"
VERDICT_KEY = "mirror_verdict"
COMPARISON_KEY = "mirror_comparison"
ANSWERED_KEY = "mirror_answered"
"""Of a shadow: when the two responses that were compared were complete. Other times in the flows mean that one of them
has another response now."""
ADAPTIONS_KEY = "mirror_adaptions"
CALL_KEY = "mirror_call"
"""Of a mirror's call to another service: what became of it, in words."""
CALLS_KEY = "mirror_calls"
"""Of a shadow: the calls that its mirror made; of a mirror's call: that one. As JSON."""
CUT_KEY = "mirror_cut"
"""Of a shadow: bytes kept and bytes received, where the body of its response was cut."""
COMMENT_KEY = "mirror_comment"
"""Of a shadow: the comment that it was given. If it has another, a person wrote it."""

TIMES_KEY = "mirror_times"
"""Of a primary: milliseconds from the last byte of its request, as it left for the upstream, to the last byte of the
response and to the first ones. mitmproxy's own times of a flow are from the client's side."""

_NO_DIFFERENCES = '{"differences": [], "notes": [], "more": 0}'
_encode = json.JSONEncoder(default=str).encode


def set_times(flow: mitm_flow.Flow, ms: float | None, first_ms: float | None) -> None:
    """Set TIMES_KEY, if there are both times."""
    if ms is not None and first_ms is not None:
        flow.metadata[TIMES_KEY] = [ms, first_ms]


def is_shadow_flow(flow: mitm_flow.Flow) -> bool:
    """Return whether `flow` was made of a shadow."""
    return PRIMARY_KEY in flow.metadata


def text_of(flow: mitm_flow.Flow, key: str) -> str:
    """Return a text of the metadata, an empty one if there is none."""
    value = flow.metadata.get(key)
    return value if isinstance(value, str) else ""


def texts_of(flow: mitm_flow.Flow, key: str) -> list[str]:
    """Return a list of texts of the metadata. Files may come from anywhere: what is not text is left out."""
    values = flow.metadata.get(key)
    return [value for value in values if isinstance(value, str)] if isinstance(values, (list, tuple)) else []


def numbers_of(flow: mitm_flow.Flow, key: str) -> tuple[float, float] | None:
    """Return a pair of numbers of the metadata, None if there is none."""
    values = flow.metadata.get(key)
    if (
        isinstance(values, (list, tuple))
        and len(values) == 2
        and all(isinstance(each, (int, float)) for each in values)
    ):
        return values[0], values[1]
    return None


def add_text(flow: mitm_flow.Flow, key: str, value: str) -> None:
    """Append to a list of texts of the metadata."""
    flow.metadata[key] = [*texts_of(flow, key), value]


def answered(primary: http.HTTPFlow, shadow: http.HTTPFlow) -> list[float]:
    """Return when the two responses were complete, in seconds since the epoch; 0 for one that is not."""
    return [(flow.response.timestamp_end or 0.0) if flow.response else 0.0 for flow in (primary, shadow)]


def write_comparison(shadow: http.HTTPFlow, primary: http.HTTPFlow, comparison: Comparison) -> None:
    """Keep in the shadow's flow a comparison of the responses that `primary` and `shadow` have now."""
    shadow.metadata[VERDICT_KEY] = comparison.verdict or ""
    shadow.metadata[ANSWERED_KEY] = answered(primary, shadow)
    if not (comparison.differences or comparison.notes or comparison.more or comparison.twin):
        shadow.metadata[COMPARISON_KEY] = _NO_DIFFERENCES
        return
    rows = [
        [each.path, each.kind, each.primary, each.shadow, each.noise, each.where] for each in comparison.differences
    ]
    shadow.metadata[COMPARISON_KEY] = _encode(
        {"differences": rows, "notes": comparison.notes, "more": comparison.more}
        | ({} if comparison.twin is None else {"twin": comparison.twin})
    )


def read_comparison(shadow: http.HTTPFlow) -> Comparison | None:
    """Return the comparison that was kept, None if there is none or it cannot be read."""
    if COMPARISON_KEY not in shadow.metadata:
        return None
    from mirror_addon.compare.comparison import Comparison  # a slow import, which only some proxies need

    try:
        kept: Any = json.loads(text_of(shadow, COMPARISON_KEY))
        differences = tuple(Difference(*row) for row in kept["differences"])
        if not all(isinstance(part, str) for each in differences for part in (each.path, each.kind, each.noise)):
            return None
        rows = kept.get("twin")
        twin = None if rows is None else tuple(Translation(*map(str, row)) for row in rows)
        notes, more = tuple(map(str, kept["notes"])), int(kept["more"])
        return Comparison(text_of(shadow, VERDICT_KEY) or None, differences, notes, more, twin)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def write_calls(flow: http.HTTPFlow, calls: Iterable[Call]) -> None:
    """Keep calls of the mirror: all of a shadow's, or the one that a flow is."""
    flow.metadata[CALLS_KEY] = _encode([each.as_dict() for each in calls])


def read_calls(flow: mitm_flow.Flow) -> tuple[Call, ...]:
    """Return the calls that were kept; none if they cannot be read."""
    if CALLS_KEY not in flow.metadata:
        return ()
    from mirror_addon.compare.calls import calls_of

    try:
        return calls_of(json.loads(text_of(flow, CALLS_KEY)))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return ()


def is_current(primary: http.HTTPFlow, shadow: http.HTTPFlow) -> bool:
    """Return whether the two flows still hold the responses that were compared: neither was edited or replayed."""
    kept = numbers_of(shadow, ANSWERED_KEY)
    return (
        kept is not None and list(kept) == answered(primary, shadow) and not (primary.modified() or shadow.modified())
    )
