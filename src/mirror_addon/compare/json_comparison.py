"""Compare two JSON values by structure.

Theory of operation. Objects are compared member by member, lists after their elements were paired by `alignment`.
Elements of lists are recognised, in this order: by the `key` of a rule, by an identifying member such as `id`, by a
fingerprint (a hash of their content), and by a fingerprint in which known shapes are masked.

Bodies may have megabytes, so two things are less simple than they could be: `_objects` and `_lists` compare plain
values in place instead of calling `_compare` for each, and elements of lists are compared with Python's `==` as a
whole first, which runs in C. `==` takes `True` for 1, so `same_booleans` checks what `==` found equal if a text may
contain booleans.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from collections.abc import Iterable
from collections.abc import Sequence
from decimal import Decimal
from itertools import islice
from typing import Any
from typing import cast

from mirror_addon.compare.alignment import Alignment
from mirror_addon.compare.alignment import Name
from mirror_addon.compare.alignment import align
from mirror_addon.compare.differences import Differences
from mirror_addon.compare.paths import Key
from mirror_addon.compare.paths import Place
from mirror_addon.compare.paths import exact
from mirror_addon.compare.shapes import mask

_IDENTITIES = ("id", "_id", "uuid", "guid", "key", "code", "sku", "slug", "name", "email", "path", "url")
"""Members that may identify the elements of a list. One does if all elements have it and no two have the same value."""
_LEVELS = 5
"""Levels of an element that its fingerprint covers. Of deeper values it has only the length."""
_MAX_MASKED = 5000
"""Elements of longer lists are not recognised by masked fingerprints, because masking takes a regex for each text."""
_MAX_MASKED_MEMBERS = 100
"""Members and elements of one value that its masked fingerprint covers."""
_MAX_MEMBERS = 20_000
"""The most members missing from, or extra in, one object that are listed one by one. Further ones are counted."""
_FEW = 64
"""Lists of one length with more differing elements are always aligned."""
_MAX_DEPTH_ALIGNED = 24
"""Lists nested deeper are paired by position, because aligning takes time at every level."""
_HASH_MODULUS = 2**61 - 1
"""Python computes the hash of a number modulo this prime (`sys.hash_info.modulus`)."""


class JsonComparison:
    """Compares two values and adds what differs to `differences`.

    `booleans`: whether one of the texts may contain `true` or `false`, which Python takes for 1 and 0. `root`: the
    document, where it is one of several, as the beginning of exact places.
    """

    def __init__(self, differences: Differences, booleans: bool, root: str = "$") -> None:
        self._root = root
        self._differences = differences
        self._booleans = booleans
        self._keys: list[Key] = []

    def run(self, primary: Any, shadow: Any, place: Place | None = None) -> None:
        """Compare whole documents, at `$` or another place. Raises RecursionError if they are nested too deep."""
        self._compare(primary, shadow, self._differences.place("$") if place is None else place)

    def _compare(self, primary: Any, shadow: Any, place: Place) -> None:
        kind = type(primary)
        if kind is dict and type(shadow) is dict:
            self._objects(primary, shadow, place)
        elif kind is list and type(shadow) is list:
            self._lists(primary, shadow, place)
        elif _kind(primary) != _kind(shadow):
            self._add(place, "type", primary, shadow)
        elif primary != shadow:
            self._add(place, "value", primary, shadow)

    def _add(self, place: Place, kind: str, primary: Any, shadow: Any) -> None:
        self._differences.add(place, kind, primary, shadow, self._where)

    def _where(self) -> str:
        return exact(self._root, self._keys)

    def _objects(self, primary: dict[str, Any], shadow: dict[str, Any], place: Place) -> None:
        missing = 0
        for name, value in primary.items():
            if name not in shadow:
                missing += 1
                if missing <= _MAX_MEMBERS:
                    self._at(name, place.below(name), "missing", value, None)
                continue
            other = shadow[name]
            kind = type(value)
            if kind is not type(other) or kind is dict or kind is list:
                self._keys.append(name)
                self._compare(value, other, place.below(name))
                self._keys.pop()
            elif value != other:
                self._at(name, place.below(name), "value", value, other)
        extra = len(shadow) - (len(primary) - missing)
        if extra:
            names = (name for name in shadow if name not in primary)
            for name in islice(names, _MAX_MEMBERS):
                self._at(name, place.below(name), "extra", None, shadow[name])
        self._differences.beyond(place, max(0, missing - _MAX_MEMBERS) + max(0, extra - _MAX_MEMBERS))

    def _lists(self, primary: list[Any], shadow: list[Any], place: Place) -> None:
        rule = self._differences.unordered(place)
        if len(primary) != len(shadow):
            self._add(place, "length", len(primary), len(shadow))
        aligned = self._aligned(primary, shadow, rule.key if rule else "")
        if aligned.moved:
            self._add(place, "order", primary, shadow)
        for i, j in aligned.pairs:
            value, other = primary[i], shadow[j]
            kind = type(value)
            if kind is not type(other) or kind is dict or kind is list:
                self._keys.append(i)
                self._compare(value, other, place.element(i))
                self._keys.pop()
            elif value != other:
                self._at(i, place.element(i), "value", value, other)
        for i in aligned.missing:
            self._at(i, place.element(i), "missing", primary[i], None)
        for i in aligned.extra:
            self._at(i, place.element(i), "extra", None, shadow[i])

    def _at(self, key: Key, place: Place, kind: str, primary: Any, shadow: Any) -> None:
        if kind not in place.counted:  # as in Differences.add, checked here to save its call
            self._keys.append(key)
            self._add(place, kind, primary, shadow)
            self._keys.pop()

    def _aligned(self, primary: list[Any], shadow: list[Any], key: str) -> Alignment:
        if len(self._keys) > _MAX_DEPTH_ALIGNED:
            common = min(len(primary), len(shadow))
            pairs = [(i, i) for i in range(common)]
            return Alignment(pairs, [*range(common, len(primary))], [*range(common, len(shadow))], False)
        if len(primary) == len(shadow) and not key:
            differing = [i for i, value in enumerate(primary) if not self._same(value, shadow[i])]
            if len(differing) < 2 or _in_place(primary, shadow, differing):
                return Alignment([(i, i) for i in differing], [], [], False)
        return align(primary, shadow, self._same, lambda one, other: _names(one, other, key), alike)

    def _same(self, primary: Any, shadow: Any) -> bool:
        return primary == shadow and (not self._booleans or same_booleans(primary, shadow))


def _in_place(primary: list[Any], shadow: list[Any], differing: list[int]) -> bool:
    """Whether elements of two lists of one length can be paired by position.

    They can if each differing pair has the same identity, or if no differing element of one list is in the other.
    """
    if all(_counterparts(primary[i], shadow[i]) for i in differing):
        return True
    if len(differing) > _FEW:
        return False
    try:
        return {primary[i] for i in differing}.isdisjoint([shadow[i] for i in differing])
    except TypeError:  # lists and objects
        return False


def _counterparts(primary: Any, shadow: Any) -> bool:
    """Whether the first identifying member of two objects is the same."""
    if type(primary) is not dict or type(shadow) is not dict:
        return False
    for name in _IDENTITIES:
        if name in primary:
            return bool(primary[name] == shadow.get(name))
    return False


def _names(primary: Sequence[Any], shadow: Sequence[Any], key: str) -> Iterable[Name[Any]]:
    if key:
        yield lambda value: _identity(value, key)
    if name := _identifying(primary, shadow):
        yield lambda value: _identity(value, name)
    yield fingerprint
    if len(primary) <= _MAX_MASKED and len(shadow) <= _MAX_MASKED:
        yield lambda value: _masked(value) if isinstance(value, dict | list) else None


def _identifying(primary: Sequence[Any], shadow: Sequence[Any]) -> str:
    """The member that identifies all elements and has at least half of its values in both lists, or empty."""
    if type(primary[0]) is dict and type(shadow[0]) is dict:
        for name in _IDENTITIES:
            if name in primary[0] and name in shadow[0]:
                distinct, others = ({_identity(value, name) for value in values} for values in (primary, shadow))
                if None in distinct or None in others or (len(distinct), len(others)) != (len(primary), len(shadow)):
                    continue
                if 2 * len(distinct & others) >= min(len(primary), len(shadow)):
                    return name
    return ""


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float | Decimal):
        return "number"
    return type(value).__name__


def same_booleans(primary: Any, shadow: Any) -> bool:
    """Whether two values that are `==` have booleans in the same places, and not `True` where the other has 1."""
    kind = type(primary)
    pairs: Iterable[tuple[Any, Any]]
    if kind is dict:
        pairs = ((value, shadow[name]) for name, value in primary.items())
    elif kind is list:
        pairs = zip(primary, shadow, strict=True)
    else:
        return (kind is bool) is (type(shadow) is bool)
    for value, other in pairs:
        kind = type(value)
        if kind is str:
            continue
        if kind is dict or kind is list:
            if not same_booleans(value, other):
                return False
        elif (kind is bool) is not (type(other) is bool):
            return False
    return True


def fingerprint(value: Any, levels: int = _LEVELS) -> Hashable:
    """A hash for recognising a value: the same for equal values, very likely another for those that differ.

    Only the first `levels` levels are hashed.
    """
    kind = type(value)
    if kind is str or value is None:
        return cast(Hashable, value)
    if kind is dict or kind is list:
        try:
            return hash(frozenset(value.items()) if kind is dict else tuple(value))
        except TypeError:  # it contains a list or object, which cannot be hashed
            if not levels:
                return kind.__name__, len(value)
        if kind is dict:
            return hash(frozenset([(name, fingerprint(item, levels - 1)) for name, item in value.items()]))
        return hash(tuple([fingerprint(item, levels - 1) for item in value]))
    if kind is bool or (kind is not Decimal and -_HASH_MODULUS < value < _HASH_MODULUS):
        return value, kind is bool
    # A client could choose numbers beyond the modulus that all have one hash, which makes dictionaries slow.
    return str(value) if kind is int else format(value, "e")


def _identity(value: Any, name: str) -> Hashable:
    found = value.get(name) if type(value) is dict else None
    kind = type(found)
    return None if kind is dict or kind is list else fingerprint(found)


def _masked(value: Any, levels: int = _LEVELS) -> Hashable:
    """A fingerprint that is the same for values that differ in known shapes only."""
    if isinstance(value, dict | list):
        if not levels:
            return type(value).__name__, len(value)
        if isinstance(value, dict):
            members = islice(value.items(), _MAX_MASKED_MEMBERS)
            return hash(frozenset([(name, _masked(item, levels - 1)) for name, item in members]))
        return hash(tuple([_masked(item, levels - 1) for item in value[:_MAX_MASKED_MEMBERS]]))
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool) and value >= 10**9:
        return "\0number\0"
    return fingerprint(value)


def alike(primary: Any, shadow: Any) -> float:
    """How similar two values are, from 0 to 1: by the members or elements that they share."""
    if isinstance(primary, dict) and isinstance(shadow, dict):
        if not primary or not shadow:
            return 0.5
        common = sum(1 for name, value in primary.items() if name in shadow and _equal(value, shadow[name]))
        names = sum(1 for name in primary if name in shadow)
        return (common + names / 10) / (max(len(primary), len(shadow)) * 1.1)
    if isinstance(primary, list) and isinstance(shadow, list):
        if not primary or not shadow:
            return 0.5
        counts = Counter(map(fingerprint, primary[:50])) & Counter(map(fingerprint, shadow[:50]))
        return counts.total() / max(len(primary[:50]), len(shadow[:50]))
    return 0.1 if type(primary) is type(shadow) else 0.0


def _equal(primary: Any, shadow: Any) -> bool:
    """Whether two members are equal. Of lists and objects only the length is compared, because that is fast."""
    if isinstance(primary, dict | list):
        return type(primary) is type(shadow) and len(primary) == len(shadow)
    return bool(primary == shadow)
