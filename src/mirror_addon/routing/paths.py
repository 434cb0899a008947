"""Where a target's path ends."""

from __future__ import annotations


def path_end(target: bytes) -> int:
    """Where query or fragment begin, neither of which is matched."""
    question = target.find(b"?")
    end = len(target) if question < 0 else question
    if b"#" in target:
        end = min(end, target.index(b"#"))
    return end
