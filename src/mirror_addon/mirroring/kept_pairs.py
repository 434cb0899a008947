"""The differing pairs that are sent again to a mirror that restarted: the newest ones, in bounded memory. Pure.

A pair has one cause of its differences or several (`compare.causes`). When there is no more room, the oldest pair goes
that is not the newest one of any cause, so that a frequent difference does not push a rare one out. A pair takes the
place of one with the same request: what its primary responded is newer.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from mirror_addon.compare.causes import Cause
from mirror_addon.shadow.pair import Again
from mirror_addon.shadow.request import Target

MOST = 200
MOST_BYTES = 32 * 1024 * 1024
MOST_REQUEST_BODY = 64 * 1024
MOST_RESPONSE_BODY = 1024 * 1024
"""Bytes of bodies: of all pairs, of a pair's request, and of the primary's response. Pairs with longer ones are not
kept."""
_OVERHEAD = 2048
_OF_USERS = frozenset({b"authorization", b"cookie"})
"""Fields by which equal requests are those of different users."""


@dataclass(slots=True, eq=False)
class KeptPair:
    """A differing pair, ready to be sent again. Equal to none but itself."""

    again: Again
    method: str
    url: str
    """As it is shown, without what `mirror_redact` leaves out."""
    endpoint: str
    causes: tuple[Cause, ...]
    noise: frozenset[str]
    """The paths of differences that were noise, perhaps for a reason that only the first comparison knew."""

    @property
    def target(self) -> Target:
        return self.again.request.target

    @property
    def same(self) -> tuple[object, ...]:
        """What is equal in pairs of the same request."""
        request = self.again.request
        of_users = tuple(field for field in request.headers if field[0].lower() in _OF_USERS)
        return request.target, request.method, request.authority, request.path, of_users, self.again.body

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        fields = chain(self.again.request.headers, self.again.answer.headers)
        bodies = len(self.again.body) + len(self.again.answer.body or b"")
        return _OVERHEAD + bodies + sum(len(name) + len(value) for name, value in fields)


class KeptPairs:
    """At most `MOST` pairs and `MOST_BYTES`."""

    def __init__(self) -> None:
        self._pairs: dict[KeptPair, int] = {}
        """With their sizes, the oldest first."""
        self._bytes = 0
        self._by_request: dict[tuple[object, ...], KeptPair] = {}
        self._newest: dict[tuple[Target, Cause], KeptPair] = {}

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[KeptPair]:
        return iter(self._pairs)

    @property
    def targets(self) -> frozenset[Target]:
        """The targets that pairs are kept for."""
        return frozenset(pair.target for pair in self._pairs)

    def add(self, pair: KeptPair) -> int:
        """Keep a pair; return how many others had to go for it, besides one with the same request."""
        if (before := self._by_request.get(pair.same)) is not None:
            self._remove(before)
        self._by_request[pair.same] = pair
        size = self._pairs[pair] = pair.size
        self._bytes += size
        for cause in pair.causes:
            self._newest[pair.target, cause] = pair
        gone = 0
        while len(self._pairs) > MOST or (self._bytes > MOST_BYTES and len(self._pairs) > 1):
            self._remove(next((each for each in self._pairs if not self._is_first(each)), next(iter(self._pairs))))
            gone += 1
        return gone

    def of(self, target: Target) -> list[KeptPair]:
        """Return the pairs of a target: the newest of each cause first, then the others, the newest first."""
        pairs = [pair for pair in reversed(self._pairs) if pair.target == target]
        return sorted(pairs, key=lambda pair: not self._is_first(pair))

    def keep(self, wanted: Callable[[KeptPair], bool]) -> int:
        """Remove the pairs that are not wanted; return how many these were."""
        gone = [pair for pair in self._pairs if not wanted(pair)]
        for pair in gone:
            self._remove(pair)
        return len(gone)

    def _is_first(self, pair: KeptPair) -> bool:
        return any(self._newest.get((pair.target, cause)) is pair for cause in pair.causes)

    def _remove(self, pair: KeptPair) -> None:
        self._bytes -= self._pairs.pop(pair)
        del self._by_request[pair.same]
        for cause in pair.causes:
            if self._newest.get((pair.target, cause)) is pair:
                del self._newest[pair.target, cause]
