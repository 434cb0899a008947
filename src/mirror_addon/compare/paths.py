"""Places in a response, as text and as patterns: `status`, `body`, `header:NAME`, `form:FIELD`, JSONPath, XPath,
and `call:METHOD HOST/PATH [PLACE]` in a call of both sides to another service (`calls`).

Theory of operation. Paths are printed and read in one language, so that a path in a report can be copied into
`compare.yaml`. It has the parts of JSONPath (RFC 9535) and XPath that say where a value is: names, indices, `*` and
`..`; names, `*`, `@`, `text()` and `//`. It has no filters, which select by value.

While a document is compared, a tree of `Place`s grows along the paths that were visited. Each place has the patterns
that match it, found as by a nondeterministic automaton: a state is a pattern and the number of its steps that were
matched, a place has a set of states, and a step down gives the set of the place below. So a path is matched once,
however many elements have it, and the cost of a step does not depend on the depth.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import NamedTuple

from mirror_addon.compare.values import short

Key = str | int
"""One step of a path: a member's name or an index; for XML a tag, `@attribute` or `text()`."""
ANY = "*"
_MAX_TEXT = 500
_MAX_STEPS = 64
_PLAIN = re.compile(r"[^\W\d]\w*")
_JSON_STEP = re.compile(
    r"""(?P<deep>\.\.)?(?:
        (?:(?<=\.\.)|\.)(?P<name>\*|[^\W\d][\w-]*|\d{1,9})
        |\[\s*(?:(?P<star>\*)|(?P<index>\d{1,9})|'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)")\s*\]
    )""",
    re.VERBOSE,
)
_XML_STEP = re.compile(r"(?P<deep>/)?/(?P<name>\*|text\(\)|@?[^\W\d][\w.:-]*)(?:\[\*\])?")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


class FieldNumber(str):
    """The number of a field of a message, in the place of its name: written `.1`."""

    __slots__ = ()

    def __new__(cls, number: int) -> FieldNumber:
        return super().__new__(cls, number)


class PathError(ValueError):
    """The text is not a path. The message says why, and what to write instead."""


class Step(NamedTuple):
    """One step of a pattern. `key`: None matches any. `deep`: any number of other steps may come before it (`..`)."""

    key: Key | None
    deep: bool


class Pattern(NamedTuple):
    """The paths that a rule applies to. `root`: `$` or `/` with steps, else the whole path, which may contain `*`."""

    root: str
    steps: tuple[Step, ...] = ()


def pattern(text: str) -> Pattern:
    """Parse a path. Raises PathError."""
    text = text.strip()
    if text.startswith("$"):
        return Pattern("$", _steps(text, 1, _JSON_STEP))
    if text.startswith("/"):
        return Pattern("/", _steps(text, 0, _XML_STEP))
    kind, colon, name = text.partition(":")
    if colon and kind.lower() in ("header", "form") and name.strip():
        name = name.strip()
        return Pattern(f"header:{name.lower()}" if kind.lower() == "header" else f"form:{name}")
    if text in ("status", "body") or (kind == "call" and name.strip()):
        return Pattern(text)
    raise PathError(f"{short(text, 60)!r} is not a path; write $.a.b, header:NAME, form:FIELD, /a/b, status or body")


def _steps(text: str, position: int, step: re.Pattern[str]) -> tuple[Step, ...]:
    steps: list[Step] = []
    while position < len(text):
        found = step.match(text, position)
        if found is None or (step is _XML_STEP and text[found.end() : found.end() + 1] not in ("", "/")):
            raise PathError(f"{short(text, 60)!r} cannot be parsed from character {position + 1} on; {_hint(text)}")
        if len(steps) == _MAX_STEPS:
            raise PathError(f"{short(text, 60)!r} has more than {_MAX_STEPS} steps; write `..` for the first ones")
        steps.append(Step(_key(found), found["deep"] is not None))
        position = found.end()
    return tuple(steps)


def _key(found: re.Match[str]) -> Key | None:
    groups = found.groupdict()
    if groups.get("index") is not None:
        return int(found["index"])
    quoted = groups.get("single") if groups.get("single") is not None else groups.get("double")
    if quoted is not None:
        return _ESCAPE.sub(_unescaped, quoted)
    name = groups.get("name")
    return None if name in (None, ANY) else name


def _unescaped(found: re.Match[str]) -> str:
    escape = found[1]
    return chr(int(escape[1:], 16)) if len(escape) == 5 else _ESCAPED.get(escape, escape)


def _hint(text: str) -> str:
    if text.startswith("/"):
        return "write names, *, @name, text(), / and //, with [*] for every index"
    if "?" in text:
        return "filters are not supported; write where the value is, as in $.items[*].price"
    return "write names as .name or ['any name'], indices as [0] or [*], and .. for any depth"


_NO_STATES: frozenset[tuple[int, int]] = frozenset()


class Place:
    """A place in both responses, and the root of the tree of those below it that were visited.

    `text`: the path, with `[*]` for indices. `name`: of the last member in it. `rules`: the numbers of the patterns
    that match it. `above`: the numbers of those that match a place above it. `counted`: the kinds of difference that
    were found here and count (see `Differences.add`).
    """

    __slots__ = ("_below", "_elements", "_exact", "_patterns", "_states", "above", "counted", "name", "rules", "text")

    def __init__(
        self,
        text: str,
        name: str,
        patterns: tuple[Pattern, ...],
        states: frozenset[tuple[int, int]],
        above: tuple[int, ...],
        exact: bool,
    ) -> None:
        self.text = text
        self.name = name
        self.rules = tuple(sorted(number for number, step in states if step == len(patterns[number].steps)))
        self.above = above
        self.counted: set[str] = set()
        self._patterns = patterns
        self._states = states
        self._exact = exact
        self._below: dict[str, Place] = {}
        self._elements: dict[int, Place] = {}

    def below(self, name: str, text: str | None = None) -> Place:
        """The place of a member. `text`: how the step is written, if not as in JSONPath."""
        place = self._below.get(text or name)
        if place is None:
            place = self._below[text or name] = self._make(name, name, member(name) if text is None else text)
        return place

    def element(self, index: int) -> Place:
        """The place of an element. All elements share one place, unless a rule names an index."""
        if not self._exact:
            index = -1
        place = self._elements.get(index)
        if place is None:
            place = self._elements[index] = self._make(index, self.name, "[*]")
        return place

    def _make(self, key: Key, name: str, text: str) -> Place:
        if not self._states:
            above = self.above if not self.rules else tuple(sorted({*self.above, *self.rules}))
            return Place(_joined(self.text, text), name, self._patterns, _NO_STATES, above, False)
        states = set()
        for number, position in self._states:
            steps = self._patterns[number].steps
            if position < len(steps):
                step = steps[position]
                if step.deep:
                    states.add((number, position))
                if step.key is None or step.key == key:
                    states.add((number, position + 1))
        above = tuple(sorted({*self.above, *self.rules}))
        return Place(_joined(self.text, text), name, self._patterns, frozenset(states), above, self._exact)


def root_place(text: str, patterns: tuple[Pattern, ...]) -> Place:
    """The place of a document (`$` for JSON, empty for XML), a header field, a form field, the status or the body."""
    if not patterns:
        return Place(text, text.partition(":")[2], patterns, _NO_STATES, (), False)
    root = text or "/"
    states = frozenset(
        (number, 0)
        for number, each in enumerate(patterns)
        if each.root == root or (ANY in each.root and fnmatchcase(root, each.root.replace("[", "[[]")))
    )
    # A rule for `body` applies to everything in the body.
    above = tuple(number for number, each in enumerate(patterns) if each.root == "body" and _of_body(root))
    exact = any(isinstance(step.key, int) for number, _ in states for step in patterns[number].steps)
    return Place(text, text.partition(":")[2], patterns, states, above, exact)


def _of_body(root: str) -> bool:
    return root in ("$", "/") or root.startswith("form:")


def member(name: str) -> str:
    """A member's name as a step of a JSONPath: `.name`, or `['any name']` with escapes."""
    if _PLAIN.fullmatch(name) or isinstance(name, FieldNumber):
        return f".{name}"
    escaped = short(name).replace("\\", "\\\\").replace("'", "\\'")
    return "['" + re.sub(r"[\x00-\x1f]", lambda found: f"\\u{ord(found[0]):04x}", escaped) + "']"


def exact(root: str, keys: list[Key]) -> str:
    """A JSONPath with its indices, such as `$.items[3].price`."""
    text = root
    for key in keys:
        text = _joined(text, f"[{key}]" if isinstance(key, int) else member(key))
    return text


def _joined(text: str, step: str) -> str:
    """A path with one more step. Beyond `_MAX_TEXT` characters it ends with an ellipsis and does not grow."""
    return text if text.endswith("…") else short(text + step, _MAX_TEXT)
