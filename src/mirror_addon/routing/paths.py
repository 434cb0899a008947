"""The end of a target's path."""

from __future__ import annotations


def path_end(target: bytes) -> int:
    """Return where the query or the fragment begins; neither is matched (Envoy's `PathMatcher`)."""
    question = target.find(b"?")
    end = len(target) if question < 0 else question
    if b"#" in target:
        end = min(end, target.index(b"#"))
    return end
