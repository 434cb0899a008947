"""The twin of one mirror: what was learned of it, applied to requests on their way to it. Pure: no I/O, no clock.

`read` says of a request which of its values have a translation, which are on their way, and which are lost; `Reading.
translated` is the request with the mirror's values. `primary_named` takes the primary's response while the mirror has
none, `learn` both responses of a pair, and `failed` the end of one that teaches nothing. Whoever sends the requests
does the waiting (`worker.twins`).

Requests that come from elsewhere are read in the same way: `translated` is the whole of it, without waiting.
`as_primary` (`own_calls`) is the other direction: a request that the mirror itself makes, to another service, with the
primary's values in it.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from typing import NamedTuple

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.twin_values import Translation
from mirror_addon.compare.twin_values import TwinValues
from mirror_addon.twin import requests
from mirror_addon.twin.equality import Pair
from mirror_addon.twin.equality import known_of
from mirror_addon.twin.learning import GIVEN
from mirror_addon.twin.learning import MADE
from mirror_addon.twin.learning import SEEN
from mirror_addon.twin.learning import Observed
from mirror_addon.twin.learning import observe
from mirror_addon.twin.names import COOKIE
from mirror_addon.twin.names import ETAG
from mirror_addon.twin.names import ID
from mirror_addon.twin.names import PRIVATE
from mirror_addon.twin.names import Key
from mirror_addon.twin.names import Place
from mirror_addon.twin.naming import Situation
from mirror_addon.twin.naming import named
from mirror_addon.twin.own_calls import AsPrimary
from mirror_addon.twin.own_calls import as_primary
from mirror_addon.twin.pending import Lost
from mirror_addon.twin.pending import Pending
from mirror_addon.twin.requests import Call
from mirror_addon.twin.requests import Spot
from mirror_addon.twin.requests import Value
from mirror_addon.twin.requests import rewritten
from mirror_addon.twin.responses import Side
from mirror_addon.twin.texts import Texts
from mirror_addon.twin.twin_map import Entry
from mirror_addon.twin.twin_map import TwinMap

MAX_EQUAL = 10_000
"""Ids that are the same on both sides, and are remembered as such."""


_MOST_LOOKED_UP = 20
"""Values that are looked up one by one in a request. Most responses name fewer."""
_LONG_BODY = 4096
"""Bytes. The memory of what was sent is bounded elsewhere."""
_WRITABLE = re.compile(r"[^\x00-\x20\x7f;,](?:[^\x00-\x1f\x7f;,]{0,8190}[^\x00-\x20\x7f;,])?")
"""A value that can be written into a header field or a cookie without ending it."""


class Found(NamedTuple):
    """A value of a request that has a translation."""

    spot: Spot
    key: Key
    scope: str
    entry: Entry


@dataclass(slots=True)
class Reading:
    """What was found in a request."""

    call: Call
    client: str
    """Whose request it is: that of a private value in it, else of its connection."""
    found: list[Found] = field(default_factory=list)
    waits: set[int] = field(default_factory=set)
    """Pairs whose values are on their way."""
    missing: bool = False
    """A value in it is lost."""
    keys: set[Key] = field(default_factory=set)
    """Of the values that are learned, or on their way."""

    def translated(self) -> tuple[Call, tuple[Translation, ...]]:
        """The request with the mirror's values, and what was replaced."""
        changes = [each for each in self.found if each.entry.value != each.spot.text]
        if not changes:
            return self.call, ()
        values = [(each.spot, Value(each.entry.value, _as_number(each))) for each in changes]
        made = tuple(Translation(e.spot.where, e.spot.text, e.entry.value, e.entry.source) for e in changes)
        return rewritten(self.call, values), made


def _as_number(found: Found) -> bool | None:
    """Whether the mirror's value is a number in JSON: as in its own response, if the client has it as the primary's."""
    primary, shadow = found.entry.numbers
    return shadow if found.spot.number == primary else None


class PairRequest:
    """The request of a pair, as it left and as the mirror got it."""

    __slots__ = ("_read_whole", "_used", "call", "client", "id", "makes", "missing", "number", "sent", "translations")

    def __init__(self, number: int, id: str, call: Call, client: str) -> None:
        self.number = number
        self.id = id
        self.call = call
        self.sent = call
        self.client = client
        self.makes = False
        """It makes something."""
        self.translations: tuple[Translation, ...] = ()
        self.missing = False
        self._used: dict[str, frozenset[Key]] = {}
        """By value: the keys under which it stood in the request, on either side."""
        self._read_whole = False
        """All of its values are in `_used`."""

    def used(self, keys: Iterable[Key]) -> bool:
        """Whether a value with one of these keys stood in it, on either side."""
        return any(key in self._keys_of(key[2]) for key in keys)

    def _keys_of(self, text: str) -> frozenset[Key]:
        found = self._used.get(text)
        if found is None and not self._read_whole:
            found = self._used[text] = frozenset(
                key
                for call in self._calls
                if requests.may_hold(call, text)
                for spot in requests.spots(call, text.__eq__)
                for key in spot.keys
            )
            if len(self._used) > _MOST_LOOKED_UP:
                self._read()
        return found or frozenset()

    @property
    def _calls(self) -> tuple[Call, ...]:
        return (self.call,) if self.sent is self.call else (self.call, self.sent)

    def _read(self) -> None:
        """Read it as a whole: many values are looked up, or its body will be forgotten."""
        found: dict[str, set[Key]] = {}
        for call in self._calls:
            for spot in requests.spots(call, _everything):
                for key in spot.keys:
                    found.setdefault(key[2], set()).add(key)
        self._used = {text: frozenset(keys) for text, keys in found.items()}
        self._read_whole = True

    def forget_long_body(self) -> None:
        """Keep of a long body only what it names."""
        if self.call.body and len(self.call.body) > _LONG_BODY:
            self._read()
            self.call, self.sent = self.call._replace(body=b""), self.sent._replace(body=b"")

    @property
    def is_private(self) -> bool:
        """Whether it is about what the mirror made for this client: its cookie or its token is the mirror's own."""
        return any(each.where.startswith(("cookie:", "header:authorization")) for each in self.translations)

    @property
    def situation(self) -> Situation:
        return Situation(self.call.path.decode("latin-1"), self.makes, self.used)


def _everything(_: str) -> bool:
    return True


class Twin:
    """What is known of one mirror."""

    def __init__(self) -> None:
        self._texts = Texts()
        self.map = TwinMap(self._texts)
        self.pending = Pending(self._texts)
        self.lost = Lost(self._texts)
        self._equal: OrderedDict[Key, None] = OrderedDict()
        self._unread: dict[int, tuple[PairRequest, Answer]] = {}
        """By number, the responses of primaries whose values are on their way and were not read yet."""

    @property
    def empty(self) -> bool:
        """Nothing was learned and nothing is on its way: no request has anything to translate."""
        return not len(self._texts)

    # Requests

    def read(self, call: Call, connection: str, before: int) -> Reading:
        """Read a request. `connection`: of its client. `before`: its number; only pairs before it are waited for."""
        if self._unread:
            self._read_names()
        if self.empty:
            return Reading(call, connection)
        spots = list(requests.spots(call, self._texts.has))
        client = self._client(spots, connection) if spots else connection
        reading = Reading(call, client or connection)
        for spot in spots:
            found = self.map.find(spot.keys, spot.scope, client)
            waits = self.pending.waits_for(spot.keys, spot.scope, client, before, known=found is not None)
            if waits or found is not None:
                reading.waits |= waits
                reading.keys.update(spot.keys)
            if found is not None:
                reading.found.append(Found(spot, *found))
            elif not waits and self.lost.has(spot.keys):
                reading.missing = True
        return reading

    def translated(self, call: Call, client: str = "") -> tuple[Call, tuple[Translation, ...]]:
        """A request with the values of the mirror in place of the primary's, as far as they are known now."""
        return self.read(call, client, 0).translated()

    def as_primary(self, call: Call) -> AsPrimary:
        """A request that the mirror made, with the primary's values in place of the mirror's own."""
        return as_primary(self.map, call)

    def _client(self, spots: Iterable[Spot], connection: str) -> str | None:
        """Whose private values a request has; None if they are those of several clients, none of which is this
        connection's. Without any, the client is the connection."""
        owners: set[str] | None = None
        for spot in spots:
            for key in spot.keys:
                if key[0] in PRIVATE and (clients := set(self.map.clients(key))):
                    owners = clients if owners is None else (owners & clients or owners)
        if not owners or connection in owners:
            return connection
        return next(iter(owners)) if len(owners) == 1 else None

    # Responses

    def primary_named(self, pair: PairRequest, primary: Answer) -> None:
        """The primary has responded, and the mirror has not yet: its values are on their way."""
        self._unread[pair.number] = pair, primary

    def _read_names(self) -> None:
        """Read the responses of primaries that have been waiting for a request which may hold their values: most of the
        time the mirror responds before there is one."""
        for number, (pair, primary) in self._unread.items():
            self.pending.add(number, self._named(pair, Side(primary)), makes=pair.makes)
        self._unread.clear()

    def _named(self, pair: PairRequest, primary: Side) -> Iterator[Place]:
        for each in named(pair.situation, primary, _everything):
            for key in _learned_keys(each.keys):
                if key in self._equal or (key[0] == ID and pair.used((key,))):
                    continue
                yield key, _scope(key, each.scope, pair)

    def failed(self, number: int) -> None:
        """The mirror has no response to learn from, for the pair with this number."""
        if number in self._unread:
            self._read_names()
        for key, _ in self.pending.end(number):
            if key not in self._equal and key not in self.map:
                self.lost.add(key)

    def learn(self, pair: PairRequest, primary: Answer, shadow: Answer) -> TwinValues:
        """Both have responded. Return what the comparison has to know of this pair."""
        one = Side(primary)
        other = Side(shadow, one)
        for each in observe(pair.situation, one, other, self.map.texts.has):
            self._take(each, pair)
        if one.kind != other.kind:
            self.failed(pair.number)
        else:
            self._unread.pop(pair.number, None)
            self._renewed(pair, one, other)
            for key, _ in self.pending.end(pair.number):
                if key not in self.map:
                    self._note_equal(key)
        known = known_of(self.map, Pair(pair.situation, one, other, pair.translations, pair.client, pair.missing))
        for key, scope in known.refuted:
            self.map.forget(key, scope)
            self._note_equal(key)
        return known.values

    def _take(self, each: Observed, pair: PairRequest) -> None:
        if not _WRITABLE.fullmatch(each.shadow):
            return
        for key in _learned_keys(each.keys):
            scope = _scope(key, each.scope, pair)
            current = self.map.exact(key, scope)
            if each.how in (MADE, GIVEN):
                self._take_certain(key, scope, each, pair, current)
            elif each.how == SEEN:
                self._take_seen(key, scope, each, pair, current)
            elif current is not None and not current.sure and current.value == each.shadow:
                self.map.learn(key, scope, current._replace(sure=True))  # it was translated, and was the right one

    def _take_certain(self, key: Key, scope: str, each: Observed, pair: PairRequest, current: Entry | None) -> None:
        same = each.primary == each.shadow
        if same and current is None and (each.how == GIVEN or key[0] != ID):
            return
        if current is not None and current.value == each.shadow:
            return  # it says nothing new: the entry names the pair that it was learned from
        self.map.learn(key, scope, Entry(each.shadow, pair.id, each.numbers))
        self.lost.discard(key)
        self._equal.pop(key, None)

    def _take_seen(self, key: Key, scope: str, each: Observed, pair: PairRequest, current: Entry | None) -> None:
        if current is not None and current.sure:
            return
        if current is None or current.value != each.shadow:
            sure = pair.is_private and not each.listed
            self.map.learn(key, scope, Entry(each.shadow, pair.id, each.numbers, sure))
            self.lost.discard(key)
            self._equal.pop(key, None)
        else:
            self.map.learn(key, scope, current._replace(sure=True))

    def _note_equal(self, key: Key) -> None:
        if key[0] != ID:
            return
        self._equal[key] = None
        self.lost.discard(key)
        if len(self._equal) > MAX_EQUAL:
            self._equal.popitem(last=False)

    def _renewed(self, pair: PairRequest, primary: Side, shadow: Side) -> None:
        """The mirror renews a cookie that the primary keeps: a client of the mirror would send the new one."""
        sent = {each.where: each for each in pair.translations if each.where.startswith("cookie:")}
        if not sent:
            return
        kept, renewed = primary.cookies, shadow.cookies
        for name in renewed.keys() - kept.keys():
            if (old := sent.get(f"cookie:{name}")) is not None:
                self.map.learn((COOKIE, name, old.primary), pair.client, Entry(renewed[name], pair.id))


def _scope(key: Key, scope: str, pair: PairRequest) -> str:
    return pair.client if key[0] in PRIVATE else scope


def _learned_keys(keys: tuple[Key, ...]) -> tuple[Key, ...]:
    """The keys under which a value is learned: those of all its names, one if it is wide."""
    if keys[0][0] in (COOKIE, ETAG):
        return keys
    if keys[0][0] == ID and keys[0][1]:
        return tuple(key for key in keys if key[0] == ID)
    return keys[:1]
