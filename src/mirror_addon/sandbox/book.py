"""The book of the calls that primaries have made, by the id of the request for which they were made. Pure.

Theory of operation. A request that is mirrored has an id (`ids`), which its service forwards with each call that it
makes. The first mirrored request with an id opens an `Entry`. The primary's calls with that id are noted in it as they
begin, and their responses when they end. Each mirror has a port of its own at which its calls arrive, and what the
mirror behind a port has done stands in a `Side` of the entry: each of the primary's calls is taken once by each side.

| state of an entry | until                                         | the mirror's call that finds nothing       |
|-------------------|-----------------------------------------------|--------------------------------------------|
| open              | the primary has answered the request          | waits: the primary may still make that call |
| answered          | `TTL_SECONDS` later                           | waits for a moment: calls in the background |
| forgotten         |                                               | belongs to no request                      |

Memory is bounded by `MOST_IDS` and `MOST_BYTES`; the oldest entries are forgotten first, and the calls in them that no
mirror has made are counted. `clock` values are seconds of any clock that only goes forward.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import NamedTuple

from mirror_addon.compare.calls import Call
from mirror_addon.sandbox.call import OVERHEAD_BYTES
from mirror_addon.sandbox.call import CallRequest
from mirror_addon.sandbox.call import PrimaryCall
from mirror_addon.sandbox.fingerprints import canonical
from mirror_addon.sandbox.fingerprints import shape_of

TTL_SECONDS = 60.0
"""How long an entry is kept after its request was answered."""
MOST_SECONDS = 600.0
"""How long an entry is kept whose request is never answered."""
MOST_IDS = 10_000
MOST_BYTES = 64 * 1024 * 1024
"""Bytes of the calls of all entries."""
MOST_CALLS = 1000
"""Calls of the primary in one entry."""


class Found(NamedTuple):
    """The primary's call that a mirror's call stands for. `exact`: query and body are the same. `alone`: there is no
    other of its kind. `reading`: as which of several requests it was found; ALIKE: only its endpoint is the same."""

    call: PrimaryCall
    exact: bool
    alone: bool = False
    reading: int = 0


ALIKE = -1


class Side:
    """What the mirror behind one port has done for one request."""

    __slots__ = ("calls", "told", "twin", "waiting")

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.twin = ""
        """The label of the mirror, if it gives its own ids to things (`mirror_twin`)."""
        self.waiting = 0
        """Calls that have no response yet."""
        self.told = False
        """The pair has ended: its calls have been reported."""


class Entry:
    """The calls that were made for one request."""

    __slots__ = ("answered", "calls", "forgotten", "ids", "listeners", "root", "sides", "size", "started")

    def __init__(self, ids: tuple[bytes, ...], root: str, started: float) -> None:
        self.ids = ids
        self.root = root
        """The flow of the request."""
        self.started = started
        self.answered: float | None = None
        """When the primary had answered it."""
        self.calls: list[PrimaryCall] = []
        """Those of the primary."""
        self.sides: dict[int, Side] = {}
        """What mirrors have done, by port."""
        self.forgotten = False
        self.size = OVERHEAD_BYTES
        self.listeners: list[Callable[[], None]] = []
        """Each is called once, at the next change."""

    def changed(self) -> None:
        """Call the listeners."""
        listeners, self.listeners = self.listeners, []
        for each in listeners:
            each()

    def find(self, port: int, request: CallRequest) -> Found | None:
        """The first of the primary's calls of this kind that the mirror at `port` has not made yet: one with the same
        content, else one of the same structure, else any."""
        left = [call for call in self.calls if port not in call.taken and call.request.kind == request.kind]
        if not left:
            return None
        left.sort(key=lambda call: call.request.query != request.query)  # stable: the others stay in their order
        same = [call for call in left if call.request.query == request.query]
        for call in same:
            if call.request.body is not None and call.request.body == request.body:
                return Found(call, True)
        if request.body is None:
            return Found(left[0], False, len(left) == 1)
        content = canonical(request.body, request.content_type, request.content_encoding)
        for call in same:
            if call.canonical == content:
                return Found(call, True)
        shape = shape_of(request.body, request.content_type, request.content_encoding)
        alike = next((call for call in left if call.request.body is not None and call.shape == shape), left[0])
        return Found(alike, False, len(left) == 1)

    def find_any(self, port: int, readings: Sequence[CallRequest]) -> Found | None:
        """The same for a mirror with ids of its own. `readings`: its call as the primary would have made it, in the
        order of how likely that is, and as it is.

        As it is, the call may be found by chance: then it is not `exact`. Where nothing is found at all, ids may have
        come up in this very request, so that nobody knows them yet: the primary's call to the same endpoint, if there
        is one.
        """
        last = len(readings) - 1
        found = [
            each._replace(reading=number)
            for number, reading in enumerate(readings)
            if (each := self.find(port, reading)) is not None
        ]
        for each in found:
            if each.exact:
                return each if each.reading < last or not last else each._replace(exact=False, alone=True)
        if found:
            return found[0]
        mine = readings[0]
        alike = [
            call
            for call in self.calls
            if port not in call.taken
            and call.request.kind[:2] == mine.kind[:2]
            and call.request.endpoint == mine.endpoint
        ]
        return Found(alike[0], False, True, ALIKE) if len(alike) == 1 else None

    def left(self, port: int) -> list[PrimaryCall]:
        """The primary's calls that the mirror at `port` has not made."""
        return [call for call in self.calls if port not in call.taken]

    def side(self, port: int) -> Side:
        """What the mirror at `port` has done."""
        found = self.sides.get(port)
        if found is None:
            found = self.sides[port] = Side()
        return found

    def begin_again(self, port: int) -> None:
        """The request is sent to the mirror at `port` once more: it may make all its calls again."""
        self.sides.pop(port, None)
        for call in self.calls:
            call.taken.discard(port)


class CallBook:
    """All entries of a run, by id. `forgot(calls)` is told how many calls were forgotten before their time."""

    def __init__(
        self, forgot: Callable[[int], None], *, most_ids: int = MOST_IDS, most_bytes: int = MOST_BYTES
    ) -> None:
        self._forgot = forgot
        self._most_ids = most_ids
        self._most_bytes = most_bytes
        self._by_id: dict[bytes, Entry] = {}
        self._entries: dict[int, Entry] = {}
        """By identity, the oldest first."""
        self.size = 0
        """Bytes of all entries."""

    def __len__(self) -> int:
        """The number of entries."""
        return len(self._entries)

    def find(self, ids: Sequence[bytes]) -> Entry | None:
        """The entry of a call with these ids; None if it belongs to no request that is remembered."""
        for each in ids:
            entry = self._by_id.get(each)
            if entry is not None:
                return entry
        return None

    def open(self, ids: tuple[bytes, ...], root: str, now: float) -> Entry:
        """A request with these ids is mirrored; `root` is its flow. An older request with one of them loses it."""
        entry = Entry(ids, root, now)
        self._entries[id(entry)] = entry
        self.size += entry.size
        for each in ids:
            self._by_id[each] = entry
        self._make_room()
        return entry

    def note(self, entry: Entry, request: CallRequest, now: float) -> PrimaryCall | None:
        """The primary makes a call. None if it has made too many to remember one more."""
        if len(entry.calls) >= MOST_CALLS or entry.forgotten:
            self._forgot(1)
            return None
        call = PrimaryCall(request, now)
        entry.calls.append(call)
        self._grow(entry, call.size)
        entry.changed()
        return call

    def resized(self, entry: Entry, before: int, call: PrimaryCall) -> None:
        """A call of `entry` is over, and has another size than `before`."""
        if not entry.forgotten:
            self._grow(entry, call.size - before)
        entry.changed()

    def answer(self, entry: Entry, now: float) -> None:
        """The primary has answered the request, or will not."""
        if entry.answered is None:
            entry.answered = now
            entry.changed()

    def sweep(self, now: float) -> None:
        """Forget the entries whose time is over."""
        for entry in list(self._entries.values()):
            end = entry.started + MOST_SECONDS if entry.answered is None else entry.answered + TTL_SECONDS
            if now >= end:
                self._forget(entry)

    def _grow(self, entry: Entry, by: int) -> None:
        entry.size += by
        self.size += by
        self._make_room()

    def _make_room(self) -> None:
        while self._entries and (len(self._entries) > self._most_ids or self.size > self._most_bytes):
            oldest = next(iter(self._entries.values()))
            self._forget(oldest)
            if unused := sum(not call.taken for call in oldest.calls):
                self._forgot(unused)

    def _forget(self, entry: Entry) -> None:
        entry.forgotten = True
        del self._entries[id(entry)]
        self.size -= entry.size
        for each in entry.ids:
            if self._by_id.get(each) is entry:
                del self._by_id[each]
        entry.changed()
