"""Two JSON values compared by structure."""

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
"""Members that tell the elements of a list apart, if all of them have it and no two the same."""
_LEVELS = 5
"""Of what lies deeper in an element only the length counts for recognising it."""
_MAX_MASKED = 5000
_MAX_MASKED_MEMBERS = 100
_MAX_MEMBERS = 20_000
"""Members that one object may have more than the other; further ones are counted."""
_FEW = 64
_MAX_DEPTH_ALIGNED = 24
"""Lists nested deeper are compared place by place: to align them takes time at each level."""
_HASH_MODULUS = 2**61 - 1


class JsonComparison:
    """Compares two values and tells the differences.

    `booleans`: whether a text has `true` or `false` somewhere, which Python takes for 1 and 0.
    """

    def __init__(self, differences: Differences, booleans: bool) -> None:
        self._differences = differences
        self._booleans = booleans
        self._keys: list[Key] = []

    def run(self, primary: Any, shadow: Any) -> None:
        """Compare whole documents. Raises RecursionError for such as are nested too deep."""
        self._compare(primary, shadow, self._differences.place("$"))

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
        return exact("$", self._keys)

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
        if kind not in place.counted:  # one that counts stands for all
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
    """Is each of those that differ the same thing on both sides, or is there nothing that could have moved?"""
    if all(_counterparts(primary[i], shadow[i]) for i in differing):
        return True
    if len(differing) > _FEW:
        return False
    try:
        return {primary[i] for i in differing}.isdisjoint([shadow[i] for i in differing])
    except TypeError:  # lists and objects
        return False


def _counterparts(primary: Any, shadow: Any) -> bool:
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
    """The member by which most elements of one list are found in the other, or empty."""
    if type(primary[0]) is dict and type(shadow[0]) is dict:
        for name in _IDENTITIES:
            if name in primary[0] and name in shadow[0]:
                there, here = ([_identity(value, name) for value in values] for values in (primary, shadow))
                distinct, others = set(there), set(here)
                if None in distinct or None in others or (len(distinct), len(others)) != (len(there), len(here)):
                    continue
                if 2 * len(distinct & others) >= min(len(there), len(here)):
                    return name
    return ""


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float | Decimal):
        return "number"
    return type(value).__name__


def same_booleans(primary: Any, shadow: Any) -> bool:
    """Of two values that Python takes for equal: has neither a boolean where the other has a number?"""
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
    """The same for equal values, and hardly for others that differ in the first levels."""
    kind = type(value)
    if kind is str or value is None:
        return cast(Hashable, value)
    if kind is dict or kind is list:
        try:
            return hash(frozenset(value.items()) if kind is dict else tuple(value))
        except TypeError:  # a list or object in it
            if not levels:
                return kind.__name__, len(value)
        if kind is dict:
            return hash(frozenset([(name, fingerprint(item, levels - 1)) for name, item in value.items()]))
        return hash(tuple([fingerprint(item, levels - 1) for item in value]))
    if kind is bool or (kind is not Decimal and -_HASH_MODULUS < value < _HASH_MODULUS):
        return value, kind is bool
    # Numbers beyond the modulus of Python's hash can be chosen so that they all have the same one.
    return str(value) if kind is int else format(value, "e")


def _identity(value: Any, name: str) -> Hashable:
    found = value.get(name) if type(value) is dict else None
    kind = type(found)
    return None if kind is dict or kind is list else fingerprint(found)


def _masked(value: Any, levels: int = _LEVELS) -> Hashable:
    """The same for values that differ in known shapes only."""
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
    """How much two values have in common, from 0 to 1."""
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
    """Are two members equal? Of lists and objects, which would take long, only the length is asked."""
    if isinstance(primary, dict | list):
        return type(primary) is type(shadow) and len(primary) == len(shadow)
    return bool(primary == shadow)
