"""Pairs in HAR files: mitmproxy writes neither a flow's comment nor its metadata there.

HAR 1.2 has a `comment` for each entry, and fields of one's own after an underscore. mitmproxy's own reader passes over
both, so that a HAR that it reads back has the flows, not their pairing; other tools show them.
"""

from __future__ import annotations

from typing import Any

from mitmproxy import http

from mirror_addon.shadow_flows import metadata as meta

FIELDS = {
    "_mirror_id": meta.ID_KEY,
    "_mirror_of": meta.PRIMARY_KEY,
    "_mirror_shadows": meta.SHADOWS_KEY,
    "_mirror_target": meta.TARGET_KEY,
    "_mirror_rule": meta.RULE_KEY,
    "_mirror_verdict": meta.VERDICT_KEY,
}


def annotate(entry: dict[str, Any], flow: http.HTTPFlow) -> dict[str, Any]:
    """The entry of a flow with the comment and the pairing that the flow has."""
    if flow.comment:
        entry["comment"] = flow.comment
    return entry | {name: flow.metadata[key] for name, key in FIELDS.items() if key in flow.metadata}
