"""The difference of two bodies: text as a unified diff, anything else by length, digest and first difference. Pure."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator
from typing import AnyStr
from typing import NamedTuple

from mirror_addon.compare.codings import CodingError
from mirror_addon.compare.codings import undo
from mirror_addon.compare.media_types import form_of
from mirror_addon.compare.media_types import media_type
from mirror_addon.compare.media_types import text_of
from mirror_addon.statistics.formats import shortened

CONTEXT = 3
MAX_WINDOW = 200
"""Lines that are aligned at most, on each side. The time for it grows with their product."""
MAX_LINE = 300
"""Characters."""
AROUND = 8
"""Bytes shown before and after the first difference."""
AROUND_TEXT = 40
"""Characters shown before and after the first difference."""


class Body(NamedTuple):
    """A body without its content coding. `text` is None if it is not text."""

    data: bytes
    text: str | None


def read_body(body: bytes, content_type: str = "", content_encoding: str = "") -> Body:
    """Decode a body as its header fields say. A body whose content coding cannot be undone stays encoded."""
    declared = media_type(content_type)
    try:
        body = undo(body, content_encoding)[0]
    except CodingError:
        return Body(body, None)
    return Body(body, None if form_of(declared, body) == "bytes" else text_of(body, declared)[0])


def body_differences(primary: Body, shadow: Body) -> Iterator[str]:
    """Yield lines that show where two bodies differ; none if they are equal."""
    if primary == shadow:
        return
    if primary.text is None or shadow.text is None:
        yield from _binary(primary.data, shadow.data)
    elif primary.text == shadow.text:
        yield "the same text in other bytes (another charset or a byte order mark)"
    else:
        yield from _unified(primary.text.splitlines(), shadow.text.splitlines())


def _same_start(ours: list[str], theirs: list[str]) -> int:
    count = 0
    for one, other in zip(ours, theirs, strict=False):
        if one != other:
            break
        count += 1
    return count


def _unified(ours: list[str], theirs: list[str]) -> Iterator[str]:
    start = _same_start(ours, theirs)
    left = min(len(ours), len(theirs)) - start
    end = _same_start(ours[: -left - 1 : -1], theirs[: -left - 1 : -1]) if left else 0
    if start == len(ours) == len(theirs):
        yield "only the line endings differ"
        return
    first = max(start - CONTEXT, 0)
    windows = [lines[first : len(lines) - max(end - CONTEXT, 0)] for lines in (ours, theirs)]
    cut = [lines[: MAX_WINDOW + CONTEXT] for lines in windows]
    long = False
    for line in difflib.unified_diff(cut[0], cut[1], n=CONTEXT, lineterm=""):
        if line.startswith(("---", "+++")):
            continue
        if line.startswith("@@"):
            line = _moved(line, first)
        if len(line) > MAX_LINE:
            long = True
            line = shortened(line, MAX_LINE)
        yield line
    rest = max(len(lines) - len(part) for lines, part in zip(windows, cut, strict=True))
    if rest:
        yield f"({rest} more lines, up to the last one that differs, are not shown)"
    if long:
        yield from _around(*("\n".join(lines) for lines in windows))


def _moved(hunk: str, by: int) -> str:
    """Return a hunk's header with `by` added to its line numbers, so that they count from the start of the body."""
    words = []
    for word in hunk.split():
        if word[0] in "+-":
            number, comma, count = word[1:].partition(",")
            word = f"{word[0]}{int(number) + by}{comma}{count}"
        words.append(word)
    return " ".join(words)


def _binary(primary: bytes, shadow: bytes) -> Iterator[str]:
    for name, body in (("primary", primary), ("shadow ", shadow)):
        yield f"{name} {len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()[:16]}"
    at = _first_difference(primary, shadow)
    yield f"first difference at byte {at}:"
    for sign, body in (("-", primary), ("+", shadow)):
        part = body[max(at - AROUND, 0) : at + AROUND]
        yield f"{sign} {part.hex(' ') or '(ended)'}"


def _around(ours: str, theirs: str) -> Iterator[str]:
    """Yield the first difference of two texts, for long lines whose shown starts do not include it."""
    at = _first_difference(ours, theirs)
    yield "first difference:"
    for sign, text in (("-", ours), ("+", theirs)):
        yield f"{sign} …{text[max(at - AROUND_TEXT, 0) : at + AROUND_TEXT]}…"


def _first_difference(primary: AnyStr, shadow: AnyStr) -> int:
    """Return the index of the first difference, by bisection: comparing slices is much faster than comparing bytes."""
    low, high = 0, min(len(primary), len(shadow))
    while low < high:
        middle = (low + high + 1) // 2
        if primary[low:middle] == shadow[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
