"""What was learned of one mirror: the primary's values, and the mirror's that stand for them. Bounded. Pure.

An entry has a key (`names`) and a scope: what the thing stands below (`order:1007` for its items, which may be counted
from 1 in each order), or for private values the client that got them. Entries are forgotten in the order in which they
were last learned or used.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import NamedTuple

from mirror_addon.twin.names import ID
from mirror_addon.twin.names import PRIVATE
from mirror_addon.twin.names import Key
from mirror_addon.twin.names import Place
from mirror_addon.twin.texts import Texts

MAX_ENTRIES = 10_000
MAX_CHARACTERS = 16 * 1024 * 1024
"""Of the keys and values of all entries."""


class Entry(NamedTuple):
    """A value of the mirror. `source`: the pair from which it was learned. `numbers`: whether the primary's value and
    this one are numbers in JSON. `sure`: it was made or given, or seen in a second pair."""

    value: str
    source: str
    numbers: tuple[bool, bool] = (False, False)
    sure: bool = True


class TwinMap:
    """The entries of one mirror. `texts` gets the primary's values of all entries."""

    def __init__(self, texts: Texts, most: int = MAX_ENTRIES) -> None:
        self.texts = texts
        self._most = most
        self._entries: OrderedDict[Place, Entry] = OrderedDict()
        self._scopes: dict[Key, dict[str, Entry]] = {}
        self._own: dict[Key, dict[Place, None]] = {}
        """By kind, space and the mirror's value: the entries that have it."""
        self._spaces: dict[str, dict[tuple[str, str], int]] = {}
        """By the mirror's value: the kinds and spaces in which it is one, and how often."""
        self.has_own: Callable[[str], bool] = self._spaces.__contains__
        """Whether a text is a value of the mirror, of whatever."""
        self._characters = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: Key) -> bool:
        """Whether a value with this key has an entry, in any scope."""
        return key in self._scopes

    def learn(self, key: Key, scope: str, entry: Entry) -> None:
        """Add an entry, in place of the one before."""
        place = key, scope
        if place in self._entries:
            self._remove(place)
        self._entries[place] = entry
        self._scopes.setdefault(key, {})[scope] = entry
        self._own.setdefault((key[0], key[1], entry.value), {})[place] = None
        spaces = self._spaces.setdefault(entry.value, {})
        spaces[key[:2]] = spaces.get(key[:2], 0) + 1
        self.texts.add(key[2])
        self._characters += _size(place, entry)
        while len(self._entries) > self._most or self._characters > MAX_CHARACTERS:
            self._remove(next(iter(self._entries)))

    def forget(self, key: Key, scope: str) -> None:
        """Remove an entry, if it is there."""
        if (key, scope) in self._entries:
            self._remove((key, scope))

    def _remove(self, place: Place) -> None:
        key, scope = place
        entry = self._entries.pop(place)
        scopes = self._scopes[key]
        del scopes[scope]
        if not scopes:
            del self._scopes[key]
        self._characters -= _size(place, entry)
        own = key[0], key[1], entry.value
        del self._own[own][place]
        if not self._own[own]:
            del self._own[own]
        spaces = self._spaces[entry.value]
        spaces[key[:2]] -= 1
        if not spaces[key[:2]]:
            del spaces[key[:2]]
        if not spaces:
            del self._spaces[entry.value]
        self.texts.remove(key[2])

    def exact(self, key: Key, scope: str) -> Entry | None:
        """The entry of this key and scope."""
        return self._scopes.get(key, {}).get(scope)

    def find(self, keys: Iterable[Key], scope: str | None, client: str | None) -> tuple[Key, str, Entry] | None:
        """The entry for a value with these keys, of which the first that has one counts; with its key and scope.

        `scope`: what the value stands below; None: that is not said, and only a value that is the same in all scopes is
        found. `client`: of private values; None: it is not known, in the same way.
        """
        for key in keys:
            scopes = self._scopes.get(key)
            if scopes is None:
                continue
            if key[0] in PRIVATE:
                found = _of(scopes, client)
            elif scope:
                found = _of(scopes, scope if scope in scopes else "", elsewhere=False)
            else:
                found = _of(scopes, "")
            if found is not None:
                self._entries.move_to_end((key, found))
                return key, found, scopes[found]
        return None

    def clients(self, key: Key) -> Iterable[str]:
        """The clients that got a private value."""
        return self._scopes.get(key, ())

    def find_primary(self, keys: Iterable[Key], scope: str = "") -> tuple[str, Entry] | None:
        """The primary's value for one of the mirror's, which has these keys, and its entry. `scope`: what it stands
        below, by the primary's value, or empty. None also where several values of the primary have become this one."""
        for key in keys:
            places: Iterable[Place] = self._own.get(key, ())
            if scope:
                places = [each for each in places if each[1] == scope] or places
            if len({place[0][2] for place in places}) == 1:
                *_, newest = places
                return newest[0][2], self._entries[newest]
        return None

    def primaries(self, own: str) -> Iterator[tuple[str, Entry]]:
        """Yield the primary's ids for an id of the mirror, whatever they are of, with their entries."""
        for kind, space in self._spaces.get(own, ()):
            found = self.find_primary(((kind, space, own),)) if kind == ID else None
            if found is not None:
                yield found

    def is_own(self, key: Key) -> bool:
        """Whether the mirror has this value as an id of its own, for whatever value of the primary."""
        return key in self._own


def _of(scopes: dict[str, Entry], scope: str | None, *, elsewhere: bool = True) -> str | None:
    """The scope whose entry counts: this one, or any if all have the same value."""
    if scope is not None and scope in scopes:
        return scope
    if elsewhere and len({entry.value for entry in scopes.values()}) == 1:
        return next(reversed(scopes))
    return None


def _size(place: Place, entry: Entry) -> int:
    return len(place[0][1]) + len(place[0][2]) + len(place[1]) + len(entry.value)
