from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from replaytools import names
from replaytools import one

from mirror_addon.captures.by_start import by_start
from mirror_addon.captures.entry import Recorded
from mirror_addon.captures.stream import CaptureError


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(1, 50))
@settings(deadline=None, max_examples=30)
def test_a_window_sorts_what_is_in_it(times: list[int], window: int) -> None:
    exchanges = [one(str(number), at) for number, at in enumerate(times)]
    found = list(by_start(exchanges, window))
    assert sorted(names(iter(found))) == sorted(names(iter(exchanges))), "nothing is lost"
    if window >= len(times):
        assert [(each.started, int(each.id)) for each in found] == sorted(
            (float(at), number) for number, at in enumerate(times)
        )


def test_the_window_holds_bytes_too() -> None:
    pulled = []

    def exchanges() -> Iterator[Recorded]:
        for number in range(10):
            pulled.append(number)
            yield one(str(number), -number, body=b"x" * 1000)

    first = next(by_start(exchanges(), window_bytes=3500))
    assert (first.id, len(pulled)) == ("3", 4)


def test_what_stands_before_an_error_comes_first() -> None:
    def exchanges() -> Iterator[Recorded]:
        yield from (one("b", 2.0), one("a", 1.0))
        raise CaptureError("broken here")

    found = by_start(exchanges())
    assert [next(found).id, next(found).id] == ["a", "b"]
    with pytest.raises(CaptureError, match="broken here"):
        next(found)
