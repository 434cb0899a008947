"""The comment and the pairing of a flow in its entry of a HAR file. `host.har` has mitmproxy write them.

mitmproxy writes neither a flow's comment nor its metadata to HAR files. HAR 1.2 has a `comment` for each entry, and
allows other fields whose names begin with an underscore. mitmproxy's own reader ignores both, so a HAR file that it
reads has the flows and not their pairing; other tools show both.
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
    """Return the HAR entry of `flow` with the comment and the pairing that the flow has, if any."""
    if flow.comment:
        entry["comment"] = flow.comment
    return entry | {name: flow.metadata[key] for name, key in FIELDS.items() if key in flow.metadata}
