"""Values of the primary whose translation is on its way: the primary has responded, and the mirror has not. Pure.

Entries are bounded by the number of pairs in flight and of values that one pair may name. `Lost` keeps the values of
pairs that taught nothing, because the mirror failed: so that later shadows with them can be counted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from mirror_addon.twin.names import PRIVATE
from mirror_addon.twin.names import Key
from mirror_addon.twin.names import Place
from mirror_addon.twin.texts import Texts

MAX_PENDING = 10_000
"""Values that may be on their way. Further ones are not waited for."""


class Pending:
    """By pair, what it named. `texts` gets the values."""

    def __init__(self, texts: Texts, most: int = MAX_PENDING) -> None:
        self._texts = texts
        self._most = most
        self._count = 0
        self._pairs: dict[int, tuple[list[Place], bool]] = {}
        self._by_key: dict[Key, dict[int, str]] = {}

    def __len__(self) -> int:
        return self._count

    def add(self, pair: int, named: Iterable[Place], *, makes: bool) -> None:
        """A pair named these values; `makes`: new ones, which replace what was learned of them before."""
        kept: list[Place] = []
        self._pairs[pair] = kept, makes
        for key, scope in named:
            if self._count >= self._most:
                return
            pairs = self._by_key.setdefault(key, {})
            if pair not in pairs:
                pairs[pair] = scope
                self._count += 1
                self._texts.add(key[2])
                kept.append((key, scope))

    def end(self, pair: int) -> list[Place]:
        """The pair has ended: return what it had named."""
        named, _ = self._pairs.pop(pair, ([], False))
        for key, _ in named:
            pairs = self._by_key[key]
            del pairs[pair]
            if not pairs:
                del self._by_key[key]
            self._count -= 1
            self._texts.remove(key[2])
        return named

    def waits_for(
        self, keys: Iterable[Key], scope: str | None, client: str | None, before: int, *, known: bool
    ) -> set[int]:
        """The pairs, numbered below `before`, in which a value with these keys was named. `scope` and `client` as for
        `TwinMap.find`; `known`: it has a translation, so only pairs that make a new one count."""
        found: set[int] = set()
        for key in keys:
            for pair, of in self._by_key.get(key, {}).items():
                if pair >= before or (known and not self._pairs[pair][1]):
                    continue
                if key[0] in PRIVATE or not scope or not of or of == scope:
                    found.add(pair)
            if found:
                break
        return found


class Lost:
    """The newest values that will have no translation. `texts` gets them."""

    def __init__(self, texts: Texts, most: int = MAX_PENDING) -> None:
        self._texts = texts
        self._most = most
        self._keys: OrderedDict[Key, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._keys)

    def has(self, keys: Iterable[Key]) -> bool:
        """Whether a value with one of these keys is among them."""
        return any(key in self._keys for key in keys)

    def add(self, key: Key) -> None:
        """A value is lost."""
        if key not in self._keys:
            self._keys[key] = None
            self._texts.add(key[2])
            if len(self._keys) > self._most:
                self.discard(next(iter(self._keys)))

    def discard(self, key: Key) -> None:
        """It was learned after all."""
        if key in self._keys:
            del self._keys[key]
            self._texts.remove(key[2])
