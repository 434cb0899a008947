"""The positions of values in a YAML document, and the Kubernetes objects that are read from documents."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from typing import Generic
from typing import TypeVar

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.resources.messages import Message
from mirror_addon.istio.resources.messages import snake_case
from mirror_addon.istio.resources.messages import snake_case_names

S = TypeVar("S", bound=Message)

MERGE = 0
"""The key of a plain `<<` in `Nodes.keys`."""


class Nodes:
    """The nodes of one YAML document, in the order of the text.

    They are four columns instead of a tree of objects, because every document is kept and few are ever searched: a
    node's children are collected when they are first asked for.

    Each node except mapping keys has an index. `starts` and `key_starts` are the positions of the value and of its key
    (line << 32 | column, both from 0; an item of a sequence has its own position as `key_starts`), `keys` the keys
    (None for an item of a sequence), `ends` the index after the last descendant. `aliases` maps the index of an alias
    to that of the node that it stands for.
    """

    __slots__ = ("_children", "_names", "aliases", "ends", "key_starts", "keys", "starts")

    def __init__(
        self,
        starts: array[int],
        key_starts: array[int],
        keys: list[str | int | None],
        ends: array[int],
        aliases: dict[int, int],
    ) -> None:
        self.starts = starts
        self.key_starts = key_starts
        self.keys = keys
        self.ends = ends
        self.aliases = aliases
        self._children: dict[int, dict[str | int, int]] = {}
        self._names: set[str] | None = None

    def snake_case_names(self, node: int) -> set[str]:
        """Return the keys at or below the node, or anywhere where there are aliases, that are in snake_case."""
        if not self.aliases:
            return snake_case_names(self.keys[node : self.ends[node]])
        if self._names is None:
            self._names = snake_case_names(self.keys)
        return self._names

    def children(self, node: int) -> dict[str | int, int]:
        """Return the node's children by key or by index, including those merged with `<<`."""
        node = self.aliases.get(node, node)
        found = self._children.get(node)
        if found is None:
            found = self._children[node] = {}
            child, end, index = node + 1, self.ends[node], 0
            while child < end:
                key = self.keys[child]
                if key is None:
                    found[index] = child
                    index += 1
                elif key == MERGE:
                    for merged in self._merged(child):
                        found.update(self.children(merged))
                else:
                    found[key] = child
                child = self.ends[child]
        return found

    def _merged(self, node: int) -> list[int]:
        children = self.children(node)
        return list(reversed(children.values())) if 0 in children else [node]


class Document:
    """One YAML document of a file, or one item of a Kubernetes List."""

    __slots__ = ("_nodes", "_root", "changed", "file")

    def __init__(self, file: str, nodes: Nodes, root: int = 0, changed: float | None = None) -> None:
        self.file = file
        self.changed = changed
        """When the file was last changed, in seconds since the epoch; None where that is unknown."""
        self._nodes = nodes
        self._root = root

    def locate(self, path: FieldPath) -> tuple[int, int]:
        """Return line and column, from 1, of the value at `path`, or of its nearest existing ancestor.

        A block collection below its key begins at the key. Fields are found in both spellings.
        """
        node, _ = self._find(path)
        start = self._nodes.starts[node]
        return (start >> 32) + 1, (start & 0xFFFFFFFF) + 1

    def locate_key(self, path: FieldPath) -> tuple[int, int]:
        """Return line and column, from 1, of the key at the end of `path`; as `locate` where that is missing."""
        node, spelled = self._find(path)
        if len(spelled) < len(path):
            return self.locate(path)
        start = self._nodes.key_starts[node]
        return (start >> 32) + 1, (start & 0xFFFFFFFF) + 1

    def spelled(self, path: FieldPath) -> FieldPath:
        """Return `path` as the document spells it (`mirror_percent` for `mirrorPercent`)."""
        _, found = self._find(path)
        return (*found, *path[len(found) :])

    def snake_case_names(self) -> set[str]:
        """Return the mapping keys that are the snake_case spelling of some message's field."""
        return self._nodes.snake_case_names(self._root)

    def item(self, path: FieldPath) -> Document:
        """Return the part of this document at `path` as a document of its own."""
        return Document(self.file, self._nodes, self._find(path)[0], self.changed)

    def _find(self, path: FieldPath) -> tuple[int, FieldPath]:
        node, found = self._root, list[str | int]()
        for part in path:
            children = self._nodes.children(node)
            if part not in children and isinstance(part, str):
                part = snake_case(part)
            if part not in children:
                break
            node = children[part]
            found.append(part)
        return node, tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class Resource(Generic[S]):
    """A Kubernetes object: metadata, typed spec, and the document it was read from."""

    kind: str
    api_version: str
    name: str
    namespace: str
    labels: dict[str, str]
    annotations: dict[str, str]
    creation_timestamp: str
    """RFC 3339 text, empty when absent; orders virtual services of one host as Istio does."""
    spec: S
    document: Document
    status: Mapping[str, Any] = field(default_factory=dict)
    """As it was exported from a cluster: plain values, unchecked."""
    refused: bool = False
    """Istio's webhook refuses it: it has an error of validation (IST0106)."""
