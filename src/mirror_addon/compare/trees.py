"""Compare XML and HTML as trees of elements."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from collections.abc import Hashable
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from lxml import etree

from mirror_addon.compare.alignment import Name
from mirror_addon.compare.alignment import align
from mirror_addon.compare.differences import Differences
from mirror_addon.compare.media_types import is_utf8
from mirror_addon.compare.paths import Place
from mirror_addon.compare.values import short

_MAX_TAGS = 300_000
"""Documents with more `<` are not parsed, because a tree takes many times the memory of its text."""
_MAX_ATTRIBUTES = 1000
"""Of one tag. libxml2 compares each attribute with all before it."""
_LONG_TAG_BYTES = 2 * _MAX_ATTRIBUTES
_TAG = re.compile(rb"""<[A-Za-z](?:[^>"']++|"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z))*+""")
_QUOTED = re.compile(rb"""\"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)""")
_ATTRIBUTE = re.compile(rb"[^\s/]+")


class TreeError(ValueError):
    """The body cannot be compared as XML or HTML. The message says why."""


class Node(NamedTuple):
    """An element, without comments and processing instructions.

    `children`: elements, and texts that are not empty, with white space collapsed. `digest`: a hash of the whole
    element, so that equal subtrees are found without comparing them.
    """

    tag: str
    attributes: dict[str, str]
    children: list[Node | str]
    digest: int


def read_tree(body: bytes, html: bool, charset: str) -> Node:
    """Parse a document and return its root element. Raises TreeError.

    Entities are not expanded (billion laughs) and nothing is fetched (external entities). `charset`: Python's name of
    the charset in the Content-Type; if it is empty, that of the document's own declaration is used.
    """
    if body.count(b"<") > _MAX_TAGS:
        raise TreeError("too many elements")
    long = (tag[0] for tag in _TAG.finditer(body) if tag.end() - tag.start() > _LONG_TAG_BYTES)
    if any(len(_ATTRIBUTE.findall(_QUOTED.sub(b" ", tag))) > _MAX_ATTRIBUTES for tag in long):
        raise TreeError(f"more than {_MAX_ATTRIBUTES} attributes in a tag")
    try:
        if charset:
            body, charset = body.decode(charset, "replace").encode(), "utf-8"
        elif html and is_utf8(body):
            charset = "utf-8"  # without it, libxml2 takes HTML for Latin-1
        options: dict[str, Any] = {"encoding": charset or None, "remove_comments": True, "remove_pis": True}
        parser = etree.HTMLParser(**options) if html else etree.XMLParser(resolve_entities=False, **options)
        root = etree.fromstring(body, parser)
        if root is None:
            raise TreeError("an empty document")
        return _node(root)
    except (etree.LxmlError, ValueError, LookupError) as error:
        raise TreeError(str(error)[:100]) from None
    except RecursionError:
        raise TreeError("nested too deep") from None


def _node(element: Any) -> Node:
    children: list[Node | str] = []
    _append_text(children, element.text)
    for child in element:
        if isinstance(child.tag, str):
            children.append(_node(child))
        else:  # an entity reference; the parser removes comments and processing instructions
            _append_text(children, child.text)
        _append_text(children, child.tail)
    attributes = {str(name): str(value) for name, value in element.attrib.items()}
    digest = hash(
        (element.tag, frozenset(attributes.items()), tuple(c if isinstance(c, str) else c.digest for c in children))
    )
    return Node(element.tag, attributes, children, digest)


def _append_text(children: list[Node | str], text: str | None) -> None:
    if text and (collapsed := " ".join(text.split())):
        if children and isinstance(children[-1], str):
            children[-1] += f" {collapsed}"
        else:
            children.append(collapsed)


def compare_trees(differences: Differences, primary: Node, shadow: Node) -> None:
    """Compare two documents.

    Paths are XPaths of local names (namespaces are compared, but not shown), with `[*]` if an element has siblings of
    the same name.
    """
    _TreeComparison(differences).run(primary, shadow)


class _TreeComparison:
    def __init__(self, differences: Differences) -> None:
        self._differences = differences
        self._steps: list[str] = []

    def run(self, primary: Node, shadow: Node) -> None:
        self._at(self._differences.place(""), primary, shadow, {}, {})

    def _where(self) -> str:
        return short("".join(self._steps), 500)

    def _add(self, place: Place, kind: str, primary: object, shadow: object) -> None:
        self._differences.add(place, kind, primary, shadow, self._where, fixed=kind == "value")

    def _at(
        self, parent: Place, primary: Node | str, shadow: Node | str, positions: Positions, siblings: Counts
    ) -> None:
        """Compare two children of two elements."""
        place = self._enter(parent, primary, positions, siblings)
        if isinstance(primary, str) or isinstance(shadow, str):
            same_kind = isinstance(primary, str) and isinstance(shadow, str)
            if primary != shadow:
                self._add(place, "value" if same_kind else "type", _shown(primary), _shown(shadow))
        elif primary.tag != shadow.tag:
            self._add(place, "type", _shown(primary), _shown(shadow))
        elif primary.digest != shadow.digest:
            self._elements(place, primary, shadow)
        self._steps.pop()

    def _enter(self, parent: Place, child: Node | str, positions: Positions, siblings: Counts) -> Place:
        if isinstance(child, str):
            self._steps.append("/text()")
            return parent.below("text()", "/text()")
        tag = local_name(child.tag)
        repeated = siblings.get(child.tag, 1) > 1
        self._steps.append(f"/{tag}[{positions.get(id(child), 1)}]" if repeated else f"/{tag}")
        return parent.below(tag, f"/{tag}[*]" if repeated else f"/{tag}")

    def _elements(self, place: Place, primary: Node, shadow: Node) -> None:
        for name in dict.fromkeys((*primary.attributes, *shadow.attributes)):
            value, other = primary.attributes.get(name), shadow.attributes.get(name)
            if value != other:
                self._attribute(place, name, primary, value, other)
        self._children(place, primary, shadow)

    def _attribute(self, place: Place, name: str, node: Node, value: str | None, other: str | None) -> None:
        step = f"@{local_name(name)}"
        at = place.below(step, f"/{step}")
        if name in ("value", "content"):  # as in <input name="csrf" value="...">
            at.name = node.attributes.get("name", at.name)
        kind = "value" if value is not None and other is not None else "extra" if value is None else "missing"
        self._steps.append(f"/{step}")
        self._add(at, kind, value, other)
        self._steps.pop()

    def _children(self, place: Place, primary: Node, shadow: Node) -> None:
        counts, others = _counts(primary), _counts(shadow)
        siblings = {tag: max(counts[tag], others[tag]) for tag in (*counts, *others)}
        aligned = align(primary.children, shadow.children, _same, _names, _alike)
        if aligned.moved:
            self._add(place, "order", _outline(primary), _outline(shadow))
        positions, other_positions = _positions(primary), _positions(shadow)
        for i, j in aligned.pairs:
            self._at(place, primary.children[i], shadow.children[j], positions, siblings)
        for kind, places, node, its in (
            ("missing", aligned.missing, primary, positions),
            ("extra", aligned.extra, shadow, other_positions),
        ):
            for i in places:
                child = node.children[i]
                at = self._enter(place, child, its, siblings)
                self._add(at, kind, *((_shown(child), None) if kind == "missing" else (None, _shown(child))))
                self._steps.pop()


Positions = dict[int, int]
"""By id() of an element: its position among the siblings with its tag, from 1."""
Counts = dict[str, int]
"""By tag: how many children of one element have it."""


def local_name(tag: str) -> str:
    """The name of an element or attribute without its namespace. lxml writes `{namespace}name`."""
    return tag.rpartition("}")[2]


def _counts(node: Node) -> Counter[str]:
    return Counter(child.tag for child in node.children if not isinstance(child, str))


def _positions(node: Node) -> Positions:
    seen: Counter[str] = Counter()
    positions = {}
    for child in node.children:
        if not isinstance(child, str):
            seen[child.tag] += 1
            positions[id(child)] = seen[child.tag]
    return positions


def _shown(child: Node | str) -> str:
    if isinstance(child, str):
        return child
    attributes = "".join(f' {local_name(name)}="{value[:40]}"' for name, value in [*child.attributes.items()][:5])
    text = next((each for each in child.children if isinstance(each, str)), "")
    return f"<{local_name(child.tag)}{attributes}>{text[:80]}"


def _outline(node: Node) -> list[str]:
    """What to show of an element whose children changed order."""
    return [_shown(child) for child in node.children[:20]]


def _same(primary: Node | str, shadow: Node | str) -> bool:
    if isinstance(primary, str) or isinstance(shadow, str):
        return primary == shadow
    return primary.digest == shadow.digest


def _names(primary: Sequence[Node | str], shadow: Sequence[Node | str]) -> Iterable[Name[Node | str]]:
    yield _digest
    for name in ("id", "name", "key", "href"):
        recognise = _by_attribute(name)
        if _tells_apart(recognise, primary) and _tells_apart(recognise, shadow):
            yield recognise


def _tells_apart(recognise: Name[Node | str], children: Sequence[Node | str]) -> bool:
    """Whether some of the children have a name, and no two the same."""
    names = [name for each in children if (name := recognise(each)) is not None]
    return 0 < len(names) == len(set(names))


def _by_attribute(name: str) -> Callable[[Node | str], Hashable]:
    def recognise(child: Node | str) -> Hashable:
        if isinstance(child, str) or name not in child.attributes:
            return None
        return child.tag, child.attributes[name]

    return recognise


def _digest(child: Node | str) -> Hashable:
    return child if isinstance(child, str) else child.digest


def _alike(primary: Node | str, shadow: Node | str) -> float:
    """How much two children have in common. Different tags have nothing, the same tag at least a half."""
    if isinstance(primary, str) or isinstance(shadow, str):
        return 1.0 if isinstance(primary, str) and isinstance(shadow, str) else 0.0
    if primary.tag != shadow.tag:
        return 0.0
    attributes = len(primary.attributes.items() & shadow.attributes.items())
    children = len(set(map(_digest, primary.children[:50])) & set(map(_digest, shadow.children[:50])))
    return 0.5 + (attributes + children) / (1 + len(primary.attributes) + len(primary.children[:50]))
