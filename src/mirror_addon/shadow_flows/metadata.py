"""What a pair leaves in its flows' metadata, so that `-w` keeps it and a file read back shows it again.

mitmproxy's file format takes numbers, text and lists of them. A comparison is therefore kept as JSON text, whose
escapes also carry what UTF-8 cannot.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from typing import Any

from mitmproxy import flow as mitm_flow
from mitmproxy import http

from mirror_addon.compare.difference import Difference

if TYPE_CHECKING:
    from mirror_addon.compare.comparison import Comparison

ID_KEY = "mirror_id"
"""A flow's id when the pair was made: mitmproxy gives flows that are loaded or duplicated in the view new ids."""
PRIMARY_KEY = "mirror_of"
"""Of a shadow: id of its primary."""
SHADOWS_KEY = "mirror_shadows"
"""Of a primary: `mirror_id` of each shadow that has a flow."""
ASKED_KEY = "mirror_asked"
"""Of a primary: method, scheme, authority and path as the client sent them, before any rewrite (Latin-1 read)."""
MISSING_KEY = "mirror_missing"
"""Of a primary: `LABEL: REASON` of each shadow that was dropped, or whose flow was taken out of the view."""
TARGET_KEY = "mirror_target"
CONTROL_KEY = "mirror_control"
"""Of a shadow that went to the primary's own destination: what differs there is the primary's own noise."""
RULE_KEY = "mirror_rule"
VERDICT_KEY = "mirror_verdict"
COMPARISON_KEY = "mirror_comparison"
ANSWERED_KEY = "mirror_answered"
"""Of a shadow: when the two answers that were compared had arrived; others were put there since if it differs."""
ADAPTIONS_KEY = "mirror_adaptions"
CUT_KEY = "mirror_cut"
"""Of a shadow: bytes kept and bytes received, where its answer's body was cut."""
COMMENT_KEY = "mirror_comment"
"""Of a shadow: the comment it was given, to tell a person's from ours."""


def is_shadow_flow(flow: mitm_flow.Flow) -> bool:
    """Whether `flow` is one of those made of shadows."""
    return PRIMARY_KEY in flow.metadata


def text_of(flow: mitm_flow.Flow, key: str) -> str:
    """A text of the metadata; empty where there is none."""
    value = flow.metadata.get(key)
    return value if isinstance(value, str) else ""


def texts_of(flow: mitm_flow.Flow, key: str) -> list[str]:
    """A list of texts of the metadata. Files may come from anywhere: what is no text is passed over."""
    values = flow.metadata.get(key)
    return [value for value in values if isinstance(value, str)] if isinstance(values, (list, tuple)) else []


def numbers_of(flow: mitm_flow.Flow, key: str) -> tuple[float, float] | None:
    """A pair of numbers of the metadata."""
    values = flow.metadata.get(key)
    if (
        isinstance(values, (list, tuple))
        and len(values) == 2
        and all(isinstance(each, (int, float)) for each in values)
    ):
        return values[0], values[1]
    return None


def add_text(flow: mitm_flow.Flow, key: str, value: str) -> None:
    """Append to a list of the metadata."""
    flow.metadata[key] = [*texts_of(flow, key), value]


def answered(primary: http.HTTPFlow, shadow: http.HTTPFlow) -> list[float]:
    """When the two answers had arrived, 0 for one that did not."""
    return [(flow.response.timestamp_end or 0.0) if flow.response else 0.0 for flow in (primary, shadow)]


def write_comparison(shadow: http.HTTPFlow, primary: http.HTTPFlow, comparison: Comparison) -> None:
    """Keep a comparison of the answers that `primary` and `shadow` have now."""
    shadow.metadata[VERDICT_KEY] = comparison.verdict or ""
    shadow.metadata[ANSWERED_KEY] = answered(primary, shadow)
    shadow.metadata[COMPARISON_KEY] = json.dumps(
        {
            "differences": [
                [each.path, each.kind, each.primary, each.shadow, each.noise, each.where]
                for each in comparison.differences
            ],
            "notes": comparison.notes,
            "more": comparison.more,
        },
        default=str,
    )


def read_comparison(shadow: http.HTTPFlow) -> Comparison | None:
    """The comparison that was kept, None where there is none or a file was tampered with."""
    if COMPARISON_KEY not in shadow.metadata:
        return None
    from mirror_addon.compare.comparison import Comparison  # much to import, for proxies that compare

    try:
        kept: Any = json.loads(text_of(shadow, COMPARISON_KEY))
        differences = tuple(Difference(*row) for row in kept["differences"])
        if not all(isinstance(part, str) for each in differences for part in (each.path, each.kind, each.noise)):
            return None
        return Comparison(
            text_of(shadow, VERDICT_KEY) or None, differences, tuple(map(str, kept["notes"])), int(kept["more"])
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def is_current(primary: http.HTTPFlow, shadow: http.HTTPFlow) -> bool:
    """Whether the two flows still hold the answers that were compared: nobody edited or replayed one."""
    kept = numbers_of(shadow, ANSWERED_KEY)
    return (
        kept is not None and list(kept) == answered(primary, shadow) and not (primary.modified() or shadow.modified())
    )
