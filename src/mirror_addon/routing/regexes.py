"""Istio's regular expressions: RE2 over raw bytes (Latin-1), always matched in full (semantics 2.5, 2.6)."""

from __future__ import annotations

from collections.abc import Sequence

import re2

_MAX_MEMORY = 64 << 20
_PIECE = 2048
_LITERAL = 64
"""How much of a pattern's literal start is looked at."""


def _options(captures: bool) -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = _MAX_MEMORY
    options.log_errors = False
    options.never_capture = not captures
    return options


class Regex:
    """One pattern. `error` is RE2's complaint about a bad one, which then matches nothing; else empty."""

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
        """Bytes with which every match begins; empty where nothing is known."""
        if self._compiled is None:
            return b""
        try:
            low, high = self._compiled.possiblematchrange(_LITERAL)
        except re2.error:
            return b""
        end = len(high)
        if low[:end] and low[: end - 1] + bytes((min(low[:end][-1] + 1, 255),)) == high and not self.matches(high):
            return bytes(low[:end])  # all from low up to high begins so
        length = 0
        for one, other in zip(low, high, strict=False):
            if one != other:
                break
            length += 1
        return bytes(low[:length])


class RegexSet:
    """Many patterns asked at once.

    RE2's set says "none" also when it ran out of memory. A last pattern that always matches tells the two apart;
    then the patterns are asked one by one. Compiling a set holds the interpreter, so a big one is made in pieces.
    """

    __slots__ = ("_pieces",)

    def __init__(self, regexes: Sequence[Regex]) -> None:
        self._pieces = [
            (start, tuple(regexes[start : start + _PIECE]), _compiled_set(regexes[start : start + _PIECE]))
            for start in range(0, len(regexes), _PIECE)
        ]
        self.matches(regexes[0].literal_prefix if regexes else b"/")  # the first match is the slow one

    def matches(self, text: bytes) -> list[int]:
        """Indices of the patterns that match the whole of `text`, ascending."""
        indices: list[int] = []
        for start, regexes, compiled in self._pieces:
            found = compiled.Match(text)
            if not found:
                indices += [start + index for index, regex in enumerate(regexes) if regex.matches(text)]
            elif len(found) > 1:
                sentinel = len(regexes)
                indices += [start + index for index in sorted(found) if index != sentinel]
        return indices


def _compiled_set(regexes: Sequence[Regex]) -> re2.Set:
    """A set of the patterns and the sentinel behind them."""
    made = re2.Set.FullMatchSet(_options(captures=False))
    for regex in regexes:
        # A pattern that RE2 refuses keeps its place with one that matches nothing.
        made.Add(rb"[^\x00-\xff]" if regex.error else regex.pattern)
    made.Add(rb"(?s).*")
    made.Compile()
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
                continue  # RE2 takes no empty match right behind another match
            out.append(text[end:start])
            out += [(match.group(part) or b"") if isinstance(part, int) else part for part in self._parts]
            end = stop
        return b"".join(out) + text[end:]


def substitution(pattern: str, rewrite: str) -> Substitution | None:
    """None where pattern or rewrite is not valid."""
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
