"""Bodies compared by line, and by byte."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable
from collections.abc import Iterable
from collections.abc import Sequence
from functools import partial

from mirror_addon.compare.alignment import Name
from mirror_addon.compare.alignment import align
from mirror_addon.compare.findings import Findings
from mirror_addon.compare.shapes import mask

_MAX_LINES = 50_000
"""Texts of more lines, or commas and the like, are compared up to the first difference."""
_LONG = 4096
_PIECES = re.compile(r"[^\n,;>]*[\n,;>]|[^\n,;>]+\Z")
_SEPARATORS = "\n,;>"
_EXCERPT = 60
_CHUNK = 4096
_MAX_MASKED = 5000


def compare_texts(findings: Findings, primary: str, shadow: str, cut: bool = False) -> None:
    """Compare two different texts, line by line; long lines by what stands between commas and the like.

    `cut`: at least one of them goes on; what comes after the end of the shorter is not compared.
    """
    place = findings.place("body")
    if max(_pieces(primary), _pieces(shadow)) > _MAX_LINES:
        offset = _first_difference(primary, shadow)
        if not cut or offset < min(len(primary), len(shadow)):
            excerpt = _excerpts(primary, shadow, offset)
            findings.add(place, "value", None, None, lambda: f"character {offset + 1}", excerpt=excerpt)
        return
    lines, other_lines = primary.split("\n"), shadow.split("\n")
    unit = "line"
    if cut or max(len(primary) / len(lines), len(shadow) / len(other_lines)) > _LONG:
        lines, other_lines, unit = _PIECES.findall(primary), _PIECES.findall(shadow), "piece"
    if cut:
        shorter = min(len(lines), len(other_lines))
        del lines[shorter:], other_lines[shorter:]
        if lines and (lines[-1].startswith(other_lines[-1]) or other_lines[-1].startswith(lines[-1])):
            lines.pop()
            other_lines.pop()
    aligned = align(lines, other_lines, str.__eq__, _names, _alike)
    if aligned.moved:
        findings.add(place, "order", *_first_moved(lines, other_lines), lambda: f"{unit} {aligned.pairs[0][0] + 1}")
    for i, j in aligned.pairs:
        if lines[i] != other_lines[j]:
            excerpt = _excerpts(lines[i], other_lines[j], _first_difference(lines[i], other_lines[j]))
            findings.add(
                place, "value", lines[i], other_lines[j], partial(f"{unit} {{}}".format, i + 1), excerpt=excerpt
            )
    for i in aligned.missing:
        findings.add(place, "missing", lines[i], None, partial(f"{unit} {{}}".format, i + 1))
    for j in aligned.extra:
        findings.add(place, "extra", None, other_lines[j], partial(f"{unit} {{}}".format, j + 1))


def compare_bytes(findings: Findings, primary: bytes, shadow: bytes, cut: bool = False) -> None:
    """Compare two different bodies by length, digest and the first byte that differs.

    `cut`: at least one of them goes on; then only the bytes up to the end of the shorter are compared.
    """
    if cut:
        shorter = min(len(primary), len(shadow))
        primary, shadow = primary[:shorter], shadow[:shorter]
        if primary == shadow:
            return
    kind = "value" if len(primary) == len(shadow) else "length"
    offset = _first_difference(primary, shadow)
    findings.add(findings.place("body"), kind, _digest(primary), _digest(shadow), lambda: f"byte {offset}")


def _pieces(text: str) -> int:
    return sum(map(text.count, _SEPARATORS))


def _digest(body: bytes) -> str:
    return f"{len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()[:16]}"


def _first_difference(primary: Sequence[object], shadow: Sequence[object]) -> int:
    """The offset of the first difference, or the shorter one's end."""
    low = 0
    shorter = min(len(primary), len(shadow))
    while low < shorter and primary[low : low + _CHUNK] == shadow[low : low + _CHUNK]:
        low += _CHUNK
    while low < shorter and primary[low] == shadow[low]:
        low += 1
    return min(low, shorter)


def _excerpts(primary: str, shadow: str, offset: int) -> tuple[str, str]:
    start = max(0, offset - _EXCERPT)
    lead = "…" if start else ""
    end = offset + 2 * _EXCERPT
    return lead + primary[start:end], lead + shadow[start:end]


def _first_moved(primary: list[str], shadow: list[str]) -> tuple[str, str]:
    return next(((one, other) for one, other in zip(primary, shadow, strict=False) if one != other), ("", ""))


def _names(primary: Sequence[str], shadow: Sequence[str]) -> Iterable[Name[str]]:
    yield _itself
    if len(primary) <= _MAX_MASKED and len(shadow) <= _MAX_MASKED:
        yield mask


def _itself(line: str) -> Hashable:
    return line


def _alike(primary: str, shadow: str) -> float:
    return _first_difference(primary, shadow) / max(len(primary), len(shadow), 1)
