"""Compare bodies by line, and by byte."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable
from collections.abc import Iterable
from collections.abc import Sequence
from functools import partial

from mirror_addon.compare.alignment import Name
from mirror_addon.compare.alignment import align
from mirror_addon.compare.differences import Differences
from mirror_addon.compare.shapes import mask

_MAX_LINES = 50_000
"""Texts of more lines and pieces are compared up to the first difference only."""
_LONG = 4096
"""Average characters a line from which on a text is compared by piece."""
_PIECES = re.compile(r"[^\n,;>]*[\n,;>]|[^\n,;>]+\Z")
_SEPARATORS = "\n,;>"
_EXCERPT = 60
"""Characters that are shown before the first difference; twice as many are shown from there on."""
_CHUNK = 4096
"""Items that are compared at once when the first difference is searched."""
_MAX_MASKED = 5000
"""Lists of more lines are not aligned by lines without their known shapes, because that takes a regex for each."""


def compare_texts(differences: Differences, primary: str, shadow: str, cut: bool = False) -> None:
    """Compare two different texts line by line. Long lines are split into pieces at commas and the like.

    `cut`: at least one text is only the beginning of a body; only the length of the shorter one is compared.
    """
    place = differences.place("body")
    if max(_pieces(primary), _pieces(shadow)) > _MAX_LINES:
        offset = _first_difference(primary, shadow)
        if not cut or offset < min(len(primary), len(shadow)):
            excerpt = _excerpts(primary, shadow, offset)
            differences.add(place, "value", None, None, lambda: f"character {offset + 1}", excerpt=excerpt)
        return
    lines, other_lines = primary.split("\n"), shadow.split("\n")
    unit = "line"
    if cut or max(len(primary) / len(lines), len(shadow) / len(other_lines)) > _LONG:
        lines, other_lines, unit = _PIECES.findall(primary), _PIECES.findall(shadow), "piece"
    if cut:
        shorter = min(len(lines), len(other_lines))
        del lines[shorter:], other_lines[shorter:]
        # The last piece is probably cut too.
        if lines and (lines[-1].startswith(other_lines[-1]) or other_lines[-1].startswith(lines[-1])):
            lines.pop()
            other_lines.pop()
    aligned = align(lines, other_lines, str.__eq__, _names, _alike)
    if aligned.moved:
        differences.add(place, "order", *_first_moved(lines, other_lines), lambda: f"{unit} {aligned.pairs[0][0] + 1}")
    for i, j in aligned.pairs:
        if lines[i] != other_lines[j]:
            excerpt = _excerpts(lines[i], other_lines[j], _first_difference(lines[i], other_lines[j]))
            where = partial(f"{unit} {{}}".format, i + 1)
            differences.add(place, "value", lines[i], other_lines[j], where, excerpt=excerpt, fixed=True)
    for i in aligned.missing:
        differences.add(place, "missing", lines[i], None, partial(f"{unit} {{}}".format, i + 1))
    for j in aligned.extra:
        differences.add(place, "extra", None, other_lines[j], partial(f"{unit} {{}}".format, j + 1))


def compare_bytes(differences: Differences, primary: bytes, shadow: bytes, cut: bool = False) -> None:
    """Compare two different bodies by length, digest and the first byte that differs.

    `cut`: at least one is only the beginning of a body; only the length of the shorter one is compared.
    """
    if cut:
        shorter = min(len(primary), len(shadow))
        primary, shadow = primary[:shorter], shadow[:shorter]
        if primary == shadow:
            return
    kind = "value" if len(primary) == len(shadow) else "length"
    offset = _first_difference(primary, shadow)
    differences.add(differences.place("body"), kind, _digest(primary), _digest(shadow), lambda: f"byte {offset}")


def _pieces(text: str) -> int:
    return sum(map(text.count, _SEPARATORS))


def _digest(body: bytes) -> str:
    return f"{len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()[:16]}"


def _first_difference(primary: Sequence[object], shadow: Sequence[object]) -> int:
    """The offset of the first difference, or the length of the shorter one."""
    low = 0
    shorter = min(len(primary), len(shadow))
    while low < shorter and primary[low : low + _CHUNK] == shadow[low : low + _CHUNK]:
        low += _CHUNK
    while low < shorter and primary[low] == shadow[low]:
        low += 1
    return min(low, shorter)


def _excerpts(primary: str, shadow: str, offset: int) -> tuple[str, str]:
    """What to show of two long texts: the part around the first difference."""
    start = max(0, offset - _EXCERPT)
    lead = "…" if start else ""
    end = offset + 2 * _EXCERPT
    return lead + primary[start:end], lead + shadow[start:end]


def _first_moved(primary: list[str], shadow: list[str]) -> tuple[str, str]:
    """The first two lines that differ at one position; there are such, because the order differs."""
    return next((one, other) for one, other in zip(primary, shadow, strict=False) if one != other)


def _names(primary: Sequence[str], shadow: Sequence[str]) -> Iterable[Name[str]]:
    yield _itself
    if len(primary) <= _MAX_MASKED and len(shadow) <= _MAX_MASKED:
        yield mask


def _itself(line: str) -> Hashable:
    return line


def _alike(primary: str, shadow: str) -> float:
    return _first_difference(primary, shadow) / max(len(primary), len(shadow), 1)
