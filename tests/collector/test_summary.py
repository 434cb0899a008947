from __future__ import annotations

import io
import re

import pytest
from collectortools import request
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from mirror_addon.collector.summary import MAX_NAMES
from mirror_addon.collector.summary import OTHERS
from mirror_addon.collector.summary import ROWS
from mirror_addon.collector.summary import Tally
from mirror_addon.collector.summary import size_text


def test_the_summary() -> None:
    tally = Tally()
    for number in range(10):
        tally.add(request(target=b"/orders/%d?a=1&b=2" % number, size=number * 100, body=b""))
    found = tally.document()
    assert found["endpoints"] == {"POST /orders/{id}": 10}
    assert found["queries"] == {"a": 10, "b": 10}
    assert found["headers"] == {"host": 10, "x-a": 10}
    assert found["bytes"] == {"total": 4500, "without_body": 1, "p50": 511, "p95": 900, "largest": 900, "cut": 9}


def test_the_summary_is_bounded() -> None:
    tally = Tally()
    for number in range(MAX_NAMES + 50):
        tally.add(request(target=b"/x?%s=1" % f"name{number}".encode()))
    assert len(tally.names["queries"]) == MAX_NAMES + 1
    assert tally.names["queries"][OTHERS] == 50


def printed(tally: Tally) -> str:
    console = Console(width=200, file=io.StringIO())
    for each in tally.tables():
        console.print(each)
    assert isinstance(console.file, io.StringIO)
    return re.sub(" +$", "", console.file.getvalue(), flags=re.M)


def test_tables() -> None:
    tally = Tally()
    assert printed(tally) == "0 requests, bodies 0 B\n"
    tally.add(request(body=b"", size=0, target=b"/a", headers=()))
    assert printed(tally).splitlines() == [
        "1 request, bodies 0 B",
        "endpoint  requests  bytes",
        "POST /a          1    0 B",
        "methods: POST 1",
        "versions: HTTP/1.1 1",
        "header names: none",
        "query names: none",
        "body sizes: 1 empty",
    ]
    for number in range(ROWS + 1):
        tally.add(request(target=b"/%c%c/\x1b?n%d=1" % (97 + number // 26, 97 + number % 26, number), size=3000))
    text = printed(tally)
    assert "and 2 endpoints more; --json lists all" in text
    assert ", and 1 more" in text
    assert (
        "body sizes: 1 empty, half at most 2.9 KiB, 95 % at most 2.9 KiB, largest 2.9 KiB, 31 recorded in part" in text
    )
    assert "\x1b" not in text


def test_long_names_are_shortened() -> None:
    tally = Tally()
    tally.add(request(headers=((b"x" * 500, b""),)))
    ((name, number),) = tally.names["headers"].items()
    assert (len(name), name[-1], number) == (200, "…", 1)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1,023 B"),
        (1024, "1.0 KiB"),
        (1 << 20, "1.0 MiB"),
        (300 << 20, "300 MiB"),
        (5000 << 30, "5,000 GiB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=40), st.sampled_from([0.5, 0.95]))
def test_a_quantile_is_bounded_from_above(sizes: list[int], share: float) -> None:
    tally = Tally()
    for size in sizes:
        tally.add(request(body=b"", size=size))
    bound = tally.size_at(share)
    assert sum(size <= bound for size in sizes) >= share * len(sizes)
    assert bound <= max(sizes)
