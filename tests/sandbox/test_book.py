from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.sandbox import book as module
from mirror_addon.sandbox.book import ALIKE
from mirror_addon.sandbox.book import CallBook
from mirror_addon.sandbox.book import Entry
from mirror_addon.sandbox.call import CallRequest
from mirror_addon.sandbox.call import KeptResponse
from mirror_addon.sandbox.call import PrimaryCall

PORT = 8089


def post(body: bytes | None = b"{}", path: bytes = b"/x", query: bytes = b"") -> CallRequest:
    return CallRequest(b"POST", b"http", b"pay.test", path, query, b"application/json", b"", body)


class Books:
    def __init__(self, **limits: Any) -> None:
        self.forgotten = 0
        self.book = CallBook(self.forget, **limits)

    def forget(self, calls: int) -> None:
        self.forgotten += calls

    def entry(self, id: bytes = b"a", now: float = 0.0) -> Entry:
        return self.book.open((id,), "flow", now)

    def made(self, entry: Entry, *requests: CallRequest, body: bytes = b"") -> list[PrimaryCall]:
        calls = []
        for request in requests:
            call = self.book.note(entry, request, 0.0)
            assert call is not None
            before = call.size
            call.end(request, KeptResponse(200, b"OK", (), body))
            self.book.resized(entry, before, call)
            calls.append(call)
        return calls


def test_entries_are_found_by_each_id_and_the_newest_has_it() -> None:
    books = Books()
    entry = books.book.open((b"request", b"trace"), "f1", 0.0)
    assert books.book.find((b"other", b"trace")) is entry is books.book.find((b"request",))
    newer = books.book.open((b"trace",), "f2", 0.0)
    assert books.book.find((b"request", b"trace")) is entry
    assert books.book.find((b"trace",)) is newer
    assert books.book.find(()) is books.book.find((b"none",)) is None


def test_the_same_call_then_one_of_its_structure_then_the_next() -> None:
    books = Books()
    entry = books.entry()
    numbers = [b'{"n": 1}', b'{"name": "x"}', b'{"n": 2}', b'{"n": 2}']
    calls = books.made(entry, *map(post, numbers), post(path=b"/y"), post(b'{"n": 9}', query=b"a=1"))

    def take(request: CallRequest) -> tuple[int, bool]:
        found = entry.find(PORT, request)
        assert found is not None
        found.call.taken.add(PORT)
        return calls.index(found.call), found.exact

    assert take(post(b'{ "n":2 }')) == (2, True)
    assert take(post(b'{"n": 2}')) == (3, True)
    assert take(post(b'{"name": "z"}')) == (1, False)
    assert take(post(b'{"n": 7}')) == (0, False)
    assert take(post(b'{"n": 9}')) == (5, False)  # another query
    assert entry.find(PORT, post(b'{"n": 9}')) is None
    assert entry.left(PORT) == [calls[4]]
    found = entry.find(PORT + 1, post(None))
    assert found is not None and found.call is calls[0] and not found.alone  # another mirror has made none
    entry.side(PORT).calls.append(object())  # type: ignore[arg-type]
    entry.begin_again(PORT)
    assert entry.side(PORT).calls == [] and len(entry.left(PORT)) == len(calls)


def test_a_call_whose_body_is_not_known_yet_is_never_the_same() -> None:
    books = Books()
    entry = books.entry()
    call = books.book.note(entry, post(None), 0.0)
    found = entry.find(PORT, post(b""))
    assert found is not None and found.call is call and not found.exact and found.alone


def test_listeners_are_called_once() -> None:
    books = Books()
    entry = books.entry()
    told: list[int] = []
    entry.listeners.append(lambda: told.append(1))
    books.made(entry, post())
    assert told == [1]
    entry.listeners.append(lambda: told.append(2))
    books.book.answer(entry, 5.0)
    books.book.answer(entry, 6.0)
    assert told == [1, 2] and entry.answered == 5.0


def test_time_forgets() -> None:
    books = Books()
    answered, open_ = books.entry(b"a"), books.entry(b"b")
    books.made(answered, post())
    books.book.answer(answered, 10.0)
    books.book.sweep(10.0 + module.TTL_SECONDS - 1)
    assert len(books.book) == 2
    books.book.sweep(10.0 + module.TTL_SECONDS)
    assert answered.forgotten and books.book.find((b"a",)) is None and books.book.find((b"b",)) is open_
    books.book.sweep(module.MOST_SECONDS)
    assert len(books.book) == 0 == books.book.size and books.forgotten == 0


def test_the_oldest_make_room_and_are_counted() -> None:
    books = Books(most_ids=2, most_bytes=20_000)
    first = books.entry(b"1")
    books.made(first, post(), post())[0].taken.add(PORT)
    books.entry(b"2")
    third = books.entry(b"3")
    assert first.forgotten and books.forgotten == 1 and len(books.book) == 2
    books.made(third, post(), body=b"x" * 30_000)
    assert third.forgotten and len(books.book) == 0 == books.book.size and books.forgotten == 2
    assert books.book.note(first, post(), 0.0) is None and books.forgotten == 3


def test_an_entry_has_a_limit_of_calls(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "MOST_CALLS", 2)
    books = Books()
    entry = books.entry()
    books.made(entry, post(), post())
    assert books.book.note(entry, post(), 0.0) is None and books.forgotten == 1


STEPS = st.lists(
    st.tuples(st.sampled_from(["open", "call", "end", "answer", "sweep"]), st.integers(0, 5), st.integers(0, 3000)),
    max_size=60,
)


@settings(max_examples=60)
@given(STEPS)
def test_the_size_is_that_of_the_entries(steps: list[tuple[str, int, int]]) -> None:
    books = Books(most_ids=4, most_bytes=12_000)
    entries: list[Entry] = []
    now = 0.0
    for what, index, size in steps:
        now += 10
        entry = entries[index % len(entries)] if entries else None
        if what == "open" or entry is None:
            entries.append(books.entry(b"%d" % index, now))
        elif what == "call":
            books.book.note(entry, post(), now)
        elif what == "end":
            for call in [call for call in entry.calls if call.pending][:1]:
                before = call.size
                call.end(call.request, KeptResponse(200, b"", (), b"x" * size))
                books.book.resized(entry, before, call)
        elif what == "answer":
            books.book.answer(entry, now)
        else:
            books.book.sweep(now)
        assert books.book.size <= 12_000 and len(books.book) <= 4
        kept = [each for each in entries if not each.forgotten]
        assert books.book.size == sum(each.size for each in kept)
        assert all(each.size == module.OVERHEAD_BYTES + sum(call.size for call in each.calls) for each in kept)


def test_a_call_as_the_primary_would_have_made_it() -> None:
    books = Books()
    entry = books.entry()
    first, second, third = books.made(entry, post(path=b"/o/1"), post(path=b"/o/2"), post(path=b"/p/1"))
    as_primary, as_it_is = post(path=b"/o/1"), post(path=b"/o/2")
    found = entry.find_any(PORT, [as_primary, as_it_is])
    assert found == (first, True, False, 0)
    first.taken.add(PORT)
    assert entry.find_any(PORT, [as_primary, as_it_is]) == (second, False, True, 1), "perhaps by chance"
    assert entry.find_any(PORT, [as_it_is]) == (second, True, False, 0)
    assert entry.find_any(PORT, [post(b"[1]", path=b"/p/1"), as_it_is]) == (second, False, True, 1)
    second.taken.add(PORT)
    assert entry.find_any(PORT, [as_primary, as_it_is]) is None
    assert entry.find_any(PORT, [post(path=b"/p/7"), as_it_is]) == (third, False, True, ALIKE)
    books.made(entry, post(path=b"/p/2"))
    assert entry.find_any(PORT, [post(path=b"/p/7")]) is None, "which of two?"
