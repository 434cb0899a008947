"""Istio's regular expressions: RE2 over raw bytes, always matched in full.

Envoy 1.40 matches bytes, not UTF-8 characters (`.` does not match a two-byte character), hence Latin-1 here.
"""

from __future__ import annotations

from collections.abc import Sequence

import re2

_MAX_MEMORY = 64 << 20
_PIECE = 2048
"""How many patterns one RE2 set holds."""
_LITERAL = 64
"""How many bytes of a pattern's literal start are used."""


def _options(captures: bool) -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = _MAX_MEMORY
    options.log_errors = False
    options.never_capture = not captures
    return options


class Regex:
    """One pattern. `error` is RE2's error message for an invalid one, which matches nothing; else empty."""

    __slots__ = ("_compiled", "error", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern.encode()
        self.error = ""
        try:
            self._compiled = re2.compile(self.pattern, _options(captures=False))
        except re2.error as error:
            self._compiled = None
            self.error = _text(error)

    def matches(self, text: bytes) -> bool:
        """Whether the whole of `text` matches."""
        return self._compiled is not None and self._compiled.fullmatch(text) is not None

    @property
    def literal_prefix(self) -> bytes:
        """The bytes with which every match begins, at most 64; empty where none are known.

        RE2 gives a range `[low, high]` that contains every match. It has no direct way to ask for the prefix.
        """
        if self._compiled is None:
            return b""
        try:
            low, high = self._compiled.possiblematchrange(_LITERAL)
        except re2.error:
            return b""
        end = len(high)
        if low[:end] and low[: end - 1] + bytes((min(low[:end][-1] + 1, 255),)) == high and not self.matches(high):
            return bytes(low[:end])  # high is low's successor and no match itself: all matches begin with low
        length = 0
        for one, other in zip(low, high, strict=False):
            if one != other:
                break
            length += 1
        return bytes(low[:length])


class RegexSet:
    """Many patterns matched at once.

    RE2 refuses a set that is too large for its memory, and returns no match where it runs out of memory while
    matching. A last pattern that always matches makes the latter visible. In both cases the patterns are matched one by
    one. Compiling a set holds the GIL, so a large one is made in pieces.
    """

    __slots__ = ("_pieces",)

    def __init__(self, regexes: Sequence[Regex]) -> None:
        self._pieces = [
            (start, tuple(regexes[start : start + _PIECE]), _compiled_set(regexes[start : start + _PIECE]))
            for start in range(0, len(regexes), _PIECE)
        ]
        self.matches(regexes[0].literal_prefix if regexes else b"/")  # RE2 builds its automaton at the first match

    def matches(self, text: bytes) -> list[int]:
        """Return the indices of the patterns that match the whole of `text`, ascending."""
        indices: list[int] = []
        for start, regexes, compiled in self._pieces:
            found = compiled.Match(text) if compiled is not None else None
            if not found:
                indices += [start + index for index, regex in enumerate(regexes) if regex.matches(text)]
            elif len(found) > 1:
                sentinel = len(regexes)
                indices += [start + index for index in sorted(found) if index != sentinel]
        return indices


def _compiled_set(regexes: Sequence[Regex]) -> re2.Set | None:
    """Return a set of the patterns, followed by one that always matches; None where it needs too much memory."""
    made = re2.Set.FullMatchSet(_options(captures=False))
    for regex in regexes:
        # An invalid pattern is replaced by one that matches nothing, so that the indices stay the same.
        made.Add(rb"[^\x00-\xff]" if regex.error else regex.pattern)
    made.Add(rb"(?s).*")
    try:
        made.Compile()
    except re2.error:
        return None
    return made


class Substitution:
    r"""RE2's GlobalReplace: every match of a pattern replaced by a text in which `\0` to `\9` are groups."""

    __slots__ = ("_compiled", "_parts")

    def __init__(self, pattern: str, rewrite: str) -> None:
        """Raises re2.error for a pattern, ValueError for a rewrite that is not valid."""
        self._compiled = re2.compile(pattern.encode(), _options(captures=True))
        self._parts = _template(rewrite.encode(), self._compiled.groups)

    def __call__(self, text: bytes) -> bytes:
        out: list[bytes] = []
        end = 0
        for match in self._compiled.finditer(text):
            start, stop = match.span()
            if start == stop == end and end:
                continue  # RE2's GlobalReplace ignores an empty match directly after another match
            out.append(text[end:start])
            out += [(match.group(part) or b"") if isinstance(part, int) else part for part in self._parts]
            end = stop
        return b"".join(out) + text[end:]


def substitution(pattern: str, rewrite: str) -> Substitution | None:
    """Return the substitution; None where the pattern or the rewrite is invalid."""
    try:
        return Substitution(pattern, rewrite)
    except (re2.error, ValueError):
        return None


def _template(rewrite: bytes, groups: int) -> list[bytes | int]:
    parts: list[bytes | int] = []
    pieces = rewrite.split(b"\\")
    parts.append(pieces[0])
    index = 1
    while index < len(pieces):
        piece = pieces[index]
        if piece[:1].isdigit():
            group = int(piece[:1])
            if group > groups:
                raise ValueError(f"there is no group {group}")
            parts += [group, piece[1:]]
        elif not piece and index + 1 < len(pieces):
            index += 1
            parts.append(b"\\" + pieces[index])
        else:
            raise ValueError("a backslash is followed by a digit or by another")
        index += 1
    return parts


def _text(error: re2.error) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
