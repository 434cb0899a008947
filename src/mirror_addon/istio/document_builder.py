"""The events of one YAML document into its values and the positions of its nodes."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

from yaml.events import AliasEvent
from yaml.events import DocumentEndEvent
from yaml.events import MappingEndEvent
from yaml.events import MappingStartEvent
from yaml.events import ScalarEvent
from yaml.events import SequenceEndEvent
from yaml.events import SequenceStartEvent

from mirror_addon.istio.documents import MERGE
from mirror_addon.istio.documents import Document
from mirror_addon.istio.documents import Nodes
from mirror_addon.istio.limits import MAX_DEPTH
from mirror_addon.istio.limits import TOO_DEEP
from mirror_addon.istio.limits import TOO_MANY
from mirror_addon.istio.limits import Refused
from mirror_addon.istio.scalars import MAYBE_TYPED
from mirror_addon.istio.scalars import Scalar
from mirror_addon.istio.scalars import as_key
from mirror_addon.istio.scalars import resolve
from mirror_addon.istio.scalars import resolve_tagged

_NOT_A_KEY = "a list or mapping cannot be a key; quote it if it is meant as text"
_QUESTION_MARK = "kubectl ends a text without quotes at '?' in [...] and {...}; put it in quotes"
_NULL_KEY = "null cannot be a key; quote it if it is meant as text"


class Composed(NamedTuple):
    """One YAML document: its values as JSON knows them, and their positions."""

    document: Document
    value: Any


class _Anchor(NamedTuple):
    """What an anchor names: its node (-1 for a key), value, number of nodes, and levels of collections in it."""

    node: int
    value: Any
    size: int
    height: int


class _Collection:
    """A mapping or sequence whose end event has not come yet."""

    __slots__ = (
        "anchor",
        "height",
        "inherited",
        "is_flow",
        "is_mapping",
        "key",
        "key_start",
        "node",
        "size_before",
        "value",
    )

    def __init__(self, value: Any, node: int, anchor: str | None, size_before: int, is_flow: bool = False) -> None:
        self.value = value
        self.is_flow = is_flow
        self.is_mapping = value.__class__ is dict
        self.node = node
        self.anchor = anchor
        self.size_before = size_before
        self.height = 0
        self.key: str | int | None = None
        """The key whose value has not come yet."""
        self.key_start = 0
        self.inherited: set[str] | None = None
        """Keys that were added by a merge; an own key may replace them."""


class DocumentBuilder:
    """Builds one document from its events, without recursion.

    `first_line` is added to all line numbers. `budget` is the number of nodes that the file may still have; an alias
    counts as all the nodes that it stands for. What is wrong in the document is appended to `problems`, as line and
    column from 1 and a message.
    """

    def __init__(self, file: str, first_line: int, budget: int, problems: list[tuple[int, int, str]]) -> None:
        self._file = file
        self._first_line = first_line
        self._offset = first_line << 32
        self._budget = budget
        self._problems = problems
        # The four columns of `Nodes`, whose docstring explains them.
        self._starts: list[int] = []
        self._key_starts: list[int] = []
        self._keys: list[str | int | None] = []
        self._ends: list[int] = []
        self._aliases: dict[int, int] = {}
        self._anchors: dict[str, _Anchor | None] = {}
        """By name; None while the anchored collection is open."""
        self._extra = 0
        """Nodes that are not in the columns: keys, and those that aliases stand for."""
        self._open = _Collection([], -1, None, 0)
        """The innermost open collection; at first the pseudo-sequence that receives the document's root."""
        self._outer: list[_Collection] = []

    @property
    def size(self) -> int:
        """The number of nodes read so far."""
        return len(self._ends) + self._extra

    def build(self, get_event: Callable[[], Any]) -> Composed:
        """Read events up to the document's end. Raises Refused where the document exceeds a limit."""
        handlers: dict[type, Callable[[Any], None]] = {
            AliasEvent: self._alias,
            MappingStartEvent: self._start_collection,
            SequenceStartEvent: self._start_collection,
            MappingEndEvent: self._end_collection,
            SequenceEndEvent: self._end_collection,
        }
        starts, key_starts, keys, ends, offset = self._starts, self._key_starts, self._keys, self._ends, self._offset
        while (kind := (event := get_event()).__class__) is not DocumentEndEvent:
            if kind is not ScalarEvent:
                handlers[kind](event)
                continue
            # Most events are scalars: they are handled here, with `_add_node` written out, to save two calls for each.
            mark = event.start_mark
            start = (mark.line << 32 | mark.column) + offset
            value = text = event.value
            if event.tag is not None:
                value = self._tagged(event)
            elif not event.style:
                if not text or text[0] in MAYBE_TYPED:
                    value = resolve(text)
                if "?" in text and self._open.is_flow:
                    self._problem(mark, _QUESTION_MARK)
            parent = self._open
            if parent.is_mapping and parent.key is None:
                parent.key_start = start
                parent.key = MERGE if text == "<<" and not event.style else self._key(mark, value, parent)
                if event.anchor is not None:
                    self._anchors[event.anchor] = _Anchor(-1, value, 1, 0)
                continue
            ends.append(len(ends) + 1)
            keys.append(parent.key)
            if parent.is_mapping:
                # An empty value has no place of its own: it is located at its key.
                starts.append(start if text or event.style else parent.key_start)
                key_starts.append(parent.key_start)
            else:
                starts.append(start)
                key_starts.append(start)
            if event.anchor is not None:
                self._anchors[event.anchor] = _Anchor(len(ends) - 1, value, 1, 0)
            self._put(mark, value, parent)
        if self.size > self._budget:
            raise self._refused(event, TOO_MANY)
        nodes = Nodes(array("Q", starts), array("Q", key_starts), keys, array("I", ends), self._aliases)
        return Composed(Document(self._file, nodes), self._open.value[0])

    def _alias(self, event: Any) -> None:
        mark = event.start_mark
        target = self._anchors.get(event.anchor)
        if target is None:
            inside = event.anchor in self._anchors
            why = "is used inside the node that it refers to" if inside else "has no anchor above it"
            self._problem(mark, f"the alias *{event.anchor} {why}")
            target = _Anchor(-1, None, 1, 0)
        if len(self._outer) + target.height > MAX_DEPTH:
            raise self._refused(event, TOO_DEEP)
        self._extra += target.size - 1
        if self.size > self._budget:
            raise self._refused(event, TOO_MANY)
        parent = self._open
        start = (mark.line << 32 | mark.column) + self._offset
        if parent.is_mapping and parent.key is None:
            if isinstance(target.value, dict | list):
                self._problem(mark, _NOT_A_KEY)
                parent.key = ""
            else:
                parent.key = self._key(mark, target.value, parent)
            parent.key_start = start
            return
        index = self._add_node(parent, start)
        if target.node >= 0:
            self._aliases[index] = target.node
        parent.height = max(parent.height, target.height)
        self._put(mark, target.value, parent)

    def _start_collection(self, event: Any) -> None:
        mark = event.start_mark
        start = (mark.line << 32 | mark.column) + self._offset
        parent = self._open
        if parent.is_mapping and parent.key is None:
            self._problem(mark, _NOT_A_KEY)
            parent.key, parent.key_start = "", start
        if len(self._outer) >= MAX_DEPTH:
            raise self._refused(event, TOO_DEEP)
        size_before = len(self._ends) + self._extra
        if size_before > self._budget:
            raise self._refused(event, TOO_MANY)
        # A block collection below its key is located at the key: that is the line that people look for.
        index = self._add_node(parent, parent.key_start if parent.is_mapping and not event.flow_style else start)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._outer.append(parent)
        value: Any = {} if event.__class__ is MappingStartEvent else []
        self._open = _Collection(value, index, event.anchor, size_before, event.flow_style)

    def _end_collection(self, event: Any) -> None:
        ended = self._open
        self._ends[ended.node] = len(self._ends)
        if ended.is_mapping:
            self._extra += len(ended.value)
        height = ended.height + 1
        if ended.anchor is not None:
            self._anchors[ended.anchor] = _Anchor(ended.node, ended.value, self.size - ended.size_before, height)
        parent = self._open = self._outer.pop()
        if height > parent.height:
            parent.height = height
        self._put(event.start_mark, ended.value, parent)

    def _add_node(self, parent: _Collection, start: int) -> int:
        """Append a node without descendants to the columns, and return its index."""
        index = len(self._ends)
        self._ends.append(index + 1)
        self._keys.append(parent.key)
        self._starts.append(start)
        self._key_starts.append(parent.key_start if parent.is_mapping else start)
        return index

    def _put(self, mark: Any, value: Any, parent: _Collection) -> None:
        """Put a value into its collection, under the key that came before it."""
        if not parent.is_mapping:
            parent.value.append(value)
            return
        if parent.key == MERGE:
            self._merge(mark, parent, value)
        else:
            parent.value[parent.key] = value
        parent.key = None

    def _tagged(self, event: Any) -> Scalar:
        try:
            return resolve_tagged(event.tag, event.value, not event.style)
        except ValueError as error:
            self._problem(event.start_mark, str(error))
            return str(event.value)

    def _key(self, mark: Any, value: Scalar, mapping: _Collection) -> str:
        """Check a key, and return its text, interned: most files repeat few keys many times."""
        name = value if value.__class__ is str else as_key(value)
        if name is None:
            self._problem(mark, _NULL_KEY)
            return ""
        if name in mapping.value:
            if mapping.inherited is not None and name in mapping.inherited:
                mapping.inherited.discard(name)
            else:
                first = self._key_starts[self._child(mapping.node, name)]
                line, column = (first >> 32) + 1, (first & 0xFFFFFFFF) + 1
                self._problem(mark, f"the key {name!r} is repeated; it stands first in line {line}, column {column}")
        return sys.intern(name)

    def _child(self, node: int, key: str) -> int:
        child = node + 1
        while self._keys[child] != key:
            child = self._ends[child]
        return child

    def _merge(self, mark: Any, mapping: _Collection, value: Any) -> None:
        """Apply a `<<` as go-yaml v2 does: at once, over the keys above it; of a list the first mapping wins."""
        mapping.inherited = set() if mapping.inherited is None else mapping.inherited
        for source in reversed(value) if isinstance(value, list) else (value,):
            if not isinstance(source, dict):
                self._problem(mark, "<< takes a mapping or a list of mappings, usually an alias")
                break
            mapping.value.update(source)
            mapping.inherited.update(source)

    def _problem(self, mark: Any, message: str) -> None:
        self._problems.append((self._first_line + mark.line + 1, mark.column + 1, message))

    def _refused(self, event: Any, message: str) -> Refused:
        mark = event.start_mark
        return Refused(self._first_line + mark.line + 1, mark.column + 1, message)
