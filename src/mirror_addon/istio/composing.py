"""YAML text into plain values and their positions, whatever the text.

Built on PyYAML's events (libyaml's where it is installed) instead of its composer: events need no recursion, stop at
the limits below while reading, and let an alias be counted as what it stands for.
"""

from __future__ import annotations

import re
import sys
from array import array
from typing import Any
from typing import NamedTuple

import yaml
from yaml.events import AliasEvent
from yaml.events import DocumentEndEvent
from yaml.events import DocumentStartEvent
from yaml.events import MappingEndEvent
from yaml.events import MappingStartEvent
from yaml.events import ScalarEvent
from yaml.events import SequenceEndEvent
from yaml.events import SequenceStartEvent

from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.diagnostics import Severity
from mirror_addon.istio.documents import MERGE
from mirror_addon.istio.documents import Document
from mirror_addon.istio.documents import Nodes
from mirror_addon.istio.limits import MAX_DEPTH
from mirror_addon.istio.limits import MAX_NODES
from mirror_addon.istio.limits import TOO_MANY
from mirror_addon.istio.limits import Refused
from mirror_addon.istio.limits import check_bytes
from mirror_addon.istio.limits import check_density
from mirror_addon.istio.limits import position
from mirror_addon.istio.scalars import MAYBE_TYPED
from mirror_addon.istio.scalars import as_key
from mirror_addon.istio.scalars import resolve
from mirror_addon.istio.scalars import resolve_tagged

_MAX_SYNTAX_ERRORS = 20
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DOCUMENT_START = re.compile(rb"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"
_LIBYAML_TOO_DEEP = "exceeded maximum nesting depth"
"""What libyaml says from its own 1,000 levels on: its scanner looks ahead, and may meet them first."""
_TEMPLATE = "; this looks like a template: render it first (helm template, kustomize build)"


class Composed(NamedTuple):
    """One YAML document: its values as JSON knows them, and where they stand."""

    document: Document
    value: Any


class _Anchor(NamedTuple):
    node: int
    value: Any
    size: int
    height: int


def compose(file: str, text: bytes) -> tuple[list[Composed], list[Diagnostic]]:
    """The documents of a stream, without empty ones and without those that are broken.

    After a syntax error reading goes on at the next `---`. What cannot be read is said in the diagnostics, with code
    IST0106; no input raises.
    """
    diagnostics: list[Diagnostic] = []

    def report(line: int, column: int, message: str) -> None:
        diagnostics.append(Diagnostic(file, line, column, "IST0106", Severity.ERROR, message))

    try:
        check_bytes(text)
        check_density(text, _Parser)
        documents: list[Composed] = []
        start = first_line = nodes = 0
        for _ in range(_MAX_SYNTAX_ERRORS):
            composer = _Composer(file, first_line, nodes)
            try:
                composer.run(text[start:] if start else text)
                failed_at = None
            except yaml.MarkedYAMLError as error:
                mark = error.problem_mark or error.context_mark
                line, column = (mark.line, mark.column) if mark else (0, 0)
                if error.problem == _LIBYAML_TOO_DEEP:
                    raise Refused(first_line + line + 1, column + 1, _TOO_DEEP) from None
                report(first_line + line + 1, column + 1, _syntax_message(error, text[start:], first_line))
                failed_at = line
            except yaml.reader.ReaderError as error:
                line, column = position(text, start + error.position)
                report(line, column, f"is not YAML: {error.reason}; remove that character")
                failed_at = line - 1 - first_line
            documents += composer.documents
            for line, column, message in composer.problems:
                report(line, column, message + (_TEMPLATE if b"{{" in text else ""))
            nodes = composer.nodes + len(composer.unfinished)
            if failed_at is None:
                break
            following = _next_document(text, start, failed_at)
            if following is None:
                break
            start, first_line = following, text.count(b"\n", 0, following)
    except Refused as refused:
        report(refused.line, refused.column, refused.message)
        return [], diagnostics
    return documents, diagnostics


def _too_many(event: Any, first_line: int = 0) -> Refused:
    mark = event.start_mark
    return Refused(first_line + mark.line + 1, mark.column + 1, TOO_MANY)


def _too_deep(event: Any, first_line: int = 0) -> Refused:
    mark = event.start_mark
    return Refused(first_line + mark.line + 1, mark.column + 1, _TOO_DEEP)


def _next_document(text: bytes, start: int, failed_line: int) -> int | None:
    """Offset of the first `---` from the failed line on; lines are counted from `start`."""
    offset = start
    for _ in range(failed_line):
        newline = text.find(b"\n", offset)
        if newline < 0:
            return None
        offset = newline + 1
    # The failed line itself may be the `---` that came too early, but not the one that was begun with.
    found = _DOCUMENT_START.search(text, max(offset, start + 1))
    return found.start() if found else None


def _syntax_message(error: yaml.MarkedYAMLError, text: bytes, first_line: int) -> str:
    problem, mark = error.problem or "cannot be read", error.problem_mark
    context = f", {error.context}" if error.context else ""
    if error.context and error.context_mark and (mark is None or mark.line != error.context_mark.line):
        context += f" that begins in line {first_line + error.context_mark.line + 1}"
    hint = "; indent with spaces, not tabs" if mark is not None and _is_tab(text, mark) else ""
    return f"is not YAML: {problem}{context}{hint}{_TEMPLATE if b'{{' in text else ''}"


def _is_tab(text: bytes, mark: yaml.Mark) -> bool:
    lines = text.split(b"\n", mark.line + 1)
    return lines[mark.line].decode()[mark.column : mark.column + 1] == "\t" if mark.line < len(lines) else False


class _Composer:
    """One run over a stream, up to its end or first syntax error."""

    def __init__(self, file: str, first_line: int, nodes: int) -> None:
        self.file = file
        self.first_line = first_line
        self.nodes = nodes
        self.documents: list[Composed] = []
        self.problems: list[tuple[int, int, str]] = []
        self.unfinished: list[int] = []

    def run(self, text: bytes) -> None:
        get_event = _Parser(text).get_event
        while (event := get_event()) is not None:
            if event.__class__ is DocumentStartEvent:
                known = len(self.problems)
                composed = self._document(get_event)
                if composed.value is not None and len(self.problems) == known:
                    self.documents.append(composed)

    def _problem(self, mark: Any, message: str) -> None:
        self.problems.append((self.first_line + mark.line + 1, mark.column + 1, message))

    def _document(self, get_event: Any) -> Composed:
        """Reads up to the document's end.

        One loop with local variables, because it runs for every node of every file: a container under construction
        (`container`, the pending `key` of a mapping) and a stack of those around it.
        """
        starts: list[int] = []
        key_starts: list[int] = []
        keys: list[str | int | None] = []
        ends: list[int] = []
        self.unfinished = ends
        aliases: dict[int, int] = {}
        anchors: dict[str, _Anchor | None] = {}
        stack: list[tuple[Any, ...]] = []
        first_line = self.first_line << 32
        budget = MAX_NODES - self.nodes
        counted = 0  # keys, and what aliases stand for

        root: list[Any] = []
        container: Any = root
        is_mapping = False
        inherited: set[str] | None = None  # keys that came with a merge; an own key may replace them
        key: str | int | None = None
        key_start = 0
        node, height, anchor, size_before = -1, 0, None, 0

        while True:
            event = get_event()
            kind = event.__class__

            if kind is ScalarEvent:
                mark = event.start_mark
                start = (mark.line << 32 | mark.column) + first_line
                text = event.value
                value: Any
                if event.tag is not None:
                    try:
                        value = resolve_tagged(event.tag, text, not event.style)
                    except ValueError as error:
                        self._problem(mark, str(error))
                        value = text
                elif event.style or (text and text[0] not in MAYBE_TYPED):
                    value = text
                else:
                    value = resolve(text)
                if is_mapping and key is None:
                    if text == "<<" and not event.style:
                        key = MERGE
                    else:
                        key = self._key(mark, as_key(value), container, inherited, keys, key_starts, node, ends)
                    key_start = start
                    if event.anchor is not None:
                        anchors[event.anchor] = _Anchor(-1, value, 1, 0)
                    continue
                index = len(ends)
                ends.append(index + 1)
                keys.append(key)
                if is_mapping:
                    starts.append(start if text or event.style else key_start)
                    key_starts.append(key_start)
                    if key == MERGE:
                        inherited = self._merge(mark, container, value, inherited)
                    else:
                        container[key] = value
                    key = None
                else:
                    starts.append(start)
                    key_starts.append(start)
                    container.append(value)
                if event.anchor is not None:
                    anchors[event.anchor] = _Anchor(index, value, 1, 0)

            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                mark = event.start_mark
                start = (mark.line << 32 | mark.column) + first_line
                if is_mapping and key is None:
                    self._problem(mark, "a list or mapping cannot be a key; quote it if it is meant as text")
                    key, key_start = "", start
                index = len(ends)
                if len(stack) >= MAX_DEPTH:
                    raise _too_deep(event, self.first_line)
                if index + counted > budget:
                    raise _too_many(event, self.first_line)
                keys.append(key)
                key_starts.append(key_start if is_mapping else start)
                starts.append(key_start if is_mapping and not event.flow_style else start)
                ends.append(0)
                stack.append((container, is_mapping, inherited, key, key_start, node, height, anchor, size_before))
                is_mapping = kind is MappingStartEvent
                container = {} if is_mapping else []
                inherited, key, node, height, anchor = None, None, index, 0, event.anchor
                size_before = index + counted
                if anchor is not None:
                    anchors[anchor] = None

            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                value = container
                ends[node] = len(ends)
                if is_mapping:
                    counted += len(container)
                if anchor is not None:
                    anchors[anchor] = _Anchor(node, value, len(ends) + counted - size_before, height + 1)
                inner_height = height + 1
                mark = event.start_mark
                container, is_mapping, inherited, key, key_start, node, height, anchor, size_before = stack.pop()
                if inner_height > height:
                    height = inner_height
                if is_mapping:
                    if key == MERGE:
                        inherited = self._merge(mark, container, value, inherited)
                    else:
                        container[key] = value
                    key = None
                else:
                    container.append(value)

            elif kind is AliasEvent:
                mark = event.start_mark
                start = (mark.line << 32 | mark.column) + first_line
                target = anchors.get(event.anchor)
                if target is None:
                    inside = event.anchor in anchors
                    why = "stands inside what it names" if inside else "names no anchor above it"
                    self._problem(mark, f"the alias *{event.anchor} {why}")
                    target = _Anchor(-1, None, 1, 0)
                if len(stack) + target.height > MAX_DEPTH:
                    raise _too_deep(event, self.first_line)
                counted += target.size - 1
                if len(ends) + counted > budget:
                    raise _too_many(event, self.first_line)
                if is_mapping and key is None:
                    value = target.value
                    name = None if isinstance(value, dict | list) else as_key(value)
                    key = self._key(mark, name, container, inherited, keys, key_starts, node, ends)
                    key_start = start
                    continue
                index = len(ends)
                if target.node >= 0:
                    aliases[index] = target.node
                ends.append(index + 1)
                keys.append(key)
                starts.append(start)
                key_starts.append(key_start if is_mapping else start)
                if target.height > height:
                    height = target.height
                if is_mapping:
                    if key == MERGE:
                        inherited = self._merge(mark, container, target.value, inherited)
                    else:
                        container[key] = target.value
                    key = None
                else:
                    container.append(target.value)

            elif kind is DocumentEndEvent:
                self.nodes += len(ends) + counted
                self.unfinished = []
                if self.nodes > MAX_NODES:
                    raise _too_many(event, self.first_line)
                nodes = Nodes(array("Q", starts), array("Q", key_starts), keys, array("I", ends), aliases)
                return Composed(Document(self.file, nodes), root[0])

    def _key(
        self,
        mark: Any,
        name: str | None,
        container: dict[str, Any],
        inherited: set[str] | None,
        keys: list[str | int | None],
        key_starts: list[int],
        node: int,
        ends: list[int],
    ) -> str:
        if name is None:
            self._problem(mark, "null cannot be a key; quote it if it is meant as text")
            return ""
        if name in container:
            if inherited is not None and name in inherited:
                inherited.discard(name)
            else:
                first = self._first(name, keys, node, ends)
                line, column = (key_starts[first] >> 32) + 1, (key_starts[first] & 0xFFFFFFFF) + 1
                self._problem(mark, f"the key {name!r} stands here twice, first in line {line}, column {column}")
        return sys.intern(name)

    @staticmethod
    def _first(name: str, keys: list[str | int | None], node: int, ends: list[int]) -> int:
        child = node + 1
        while keys[child] != name:
            child = ends[child]
        return child

    def _merge(self, mark: Any, container: dict[str, Any], value: Any, inherited: set[str] | None) -> set[str]:
        """Fills in a `<<`, in place and over what stands above it, as go-yaml v2 does; of a list the first wins."""
        inherited = set() if inherited is None else inherited
        for source in reversed(value) if isinstance(value, list) else (value,):
            if not isinstance(source, dict):
                self._problem(mark, "<< takes a mapping or a list of mappings, usually an alias")
                break
            container.update(source)
            inherited.update(source)
        return inherited
