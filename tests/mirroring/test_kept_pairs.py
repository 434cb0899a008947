"""Which differing pairs are kept."""

from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.causes import Cause
from mirror_addon.mirroring import kept_pairs as module
from mirror_addon.mirroring.kept_pairs import KeptPair
from mirror_addon.mirroring.kept_pairs import KeptPairs
from mirror_addon.shadow.pair import Again
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.request import Target

TARGET = Target("v2", "127.0.0.1", 9002, False, "v2", None)
OTHER = TARGET._replace(label="v3")


def kept(
    path: str, *causes: str, target: Target = TARGET, body: bytes = b"", answer: bytes = b"", **fields: Any
) -> KeptPair:
    headers = tuple((name.encode(), value) for name, value in fields.items())
    request = ShadowRequest(target, b"GET", b"shop.test", path.encode(), headers, 30.0)
    nothing: Any = None
    again = Again(request, body, Answer(200, (), answer), "", 0.0, nothing, nothing)
    found = tuple(Cause(cause, "value") for cause in causes)
    return KeptPair(again, "GET", f"http://shop.test{path}", f"GET {path}", found, frozenset())


def urls(pairs: Any) -> list[str]:
    return [pair.url.removeprefix("http://shop.test") for pair in pairs]


def test_one_of_each_cause_first_and_the_newest_first() -> None:
    pairs = KeptPairs()
    for path, cause in (("/1", "a"), ("/2", "a"), ("/3", "b"), ("/4", "a")):
        assert pairs.add(kept(path, cause)) == 0
    pairs.add(kept("/5", "a", target=OTHER))
    assert urls(pairs.of(TARGET)) == ["/4", "/3", "/2", "/1"]
    assert urls(pairs.of(OTHER)) == ["/5"]
    assert pairs.targets == {TARGET, OTHER} and len(pairs) == 5


def test_the_oldest_goes_that_is_not_the_newest_of_a_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    pairs = KeptPairs()
    pairs.add(kept("/rare", "rare", "a"))
    gone = [pairs.add(kept(f"/{number}", "a")) for number in range(4)]
    assert gone == [0, 0, 1, 1]
    assert urls(pairs) == ["/rare", "/2", "/3"]
    assert pairs.add(kept("/b", "b")) + pairs.add(kept("/c", "c")) == 2
    assert urls(pairs) == ["/3", "/b", "/c"]  # all were the newest of theirs
    pairs.add(kept("/d", "d"))
    assert urls(pairs) == ["/b", "/c", "/d"]
    assert pairs._newest.keys() == {(TARGET, Cause(name, "value")) for name in "bcd"}


def test_the_same_request_takes_its_own_place() -> None:
    pairs = KeptPairs()
    first, second = kept("/x", "a"), kept("/x", "b")
    assert pairs.add(first) == pairs.add(kept("/y", "a")) == pairs.add(second) == 0
    assert list(pairs) == [next(iter(pairs)), second] and len(pairs) == 2
    for other in (kept("/x", "a", cookie=b"u=2"), kept("/x", "a", body=b"1"), kept("/x", "a", target=OTHER)):
        pairs.add(other)
    pairs.add(kept("/x", "a", accept=b"*/*"))  # of the same user
    assert urls(pairs) == ["/y", "/x", "/x", "/x", "/x"]


def test_bytes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 10_000)
    pairs = KeptPairs()
    gone = sum(pairs.add(kept(f"/{number}", "a", answer=bytes(1000))) for number in range(20))
    assert gone == 17 and urls(pairs) == ["/17", "/18", "/19"]
    assert pairs._bytes == sum(pair.size for pair in pairs) <= 10_000
    pairs.add(kept("/big", "a", answer=bytes(50_000)))
    assert urls(pairs) == ["/big"]
    assert pairs.keep(lambda pair: False) == 1
    assert (len(pairs), pairs._bytes, pairs._newest, pairs._by_request) == (0, 0, {}, {})
