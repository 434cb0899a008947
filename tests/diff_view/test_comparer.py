from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import brotli
import pytest
from livetools.children import children
from livetools.children import wait_for
from mitmproxy import http
from pairtools import TEXT
from pairtools import primary_flow

from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.diff_view import comparing
from mirror_addon.diff_view.comparer import AT_ONCE
from mirror_addon.diff_view.comparer import REMEMBERED
from mirror_addon.diff_view.comparer import Comparer
from mirror_addon.diff_view.comparer import answer_of
from mirror_addon.diff_view.comparing import Compared
from mirror_addon.processes.job import JobFailed
from mirror_addon.shadow_flows import metadata as meta


@pytest.fixture
def comparer() -> Iterator[Comparer]:
    made = Comparer(lambda _: DEFAULT_RULES)
    yield made
    made.close()


def compared(comparer: Comparer, primary: http.HTTPFlow, shadow: http.HTTPFlow) -> Compared:
    deadline = time.monotonic() + 60
    while (result := comparer.compare(primary, shadow)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return result


def test_what_was_found_when_the_answers_came_holds(comparer: Comparer) -> None:
    primary, shadow = primary_flow(), primary_flow()
    kept = Comparison("different", (Difference("$.kept", "value", 1, 2),))
    meta.write_comparison(shadow, primary, kept)
    assert comparer.compare(primary, shadow) == Compared(kept)


def test_an_edited_answer_is_compared_again(comparer: Comparer) -> None:
    primary, shadow = primary_flow(b"a", TEXT), primary_flow(b"a", TEXT)
    meta.write_comparison(shadow, primary, Comparison("same"))
    assert compared(comparer, primary, shadow).comparison.verdict == "same"
    shadow.backup()
    assert shadow.response
    shadow.response.content = b"b"
    assert compared(comparer, primary, shadow).comparison.verdict == "different"
    shadow.response.content = b"a"
    assert compared(comparer, primary, shadow).comparison.verdict == "same"
    shadow.response.status_code = 500
    assert compared(comparer, primary, shadow).comparison.verdict == "different"


def test_text_has_its_lines(comparer: Comparer) -> None:
    result = compared(comparer, primary_flow(b"a\nb", TEXT), primary_flow(b"a\nc", TEXT))
    assert result.body == ("@@ -1,2 +1,2 @@", " a", "-b", "+c")


def large_pair() -> tuple[http.HTTPFlow, http.HTTPFlow]:
    """Two flows whose comparison takes a process the better part of a second."""
    documents = [
        json.dumps({"items": [{"id": n, "price": n, "sold": n == sold} for n in range(100_000)]}) for sold in (1, 2)
    ]
    assert all(len(each) > 4_000_000 for each in documents)
    primary, shadow = (primary_flow(each.encode()) for each in documents)
    return primary, shadow


def test_large_bodies_do_not_block_the_caller(comparer: Comparer) -> None:
    primary, shadow = large_pair()
    assert comparer.compare(primary, shadow) is None
    result = compared(comparer, primary, shadow)
    assert result.comparison.verdict == "different"
    took = []
    for _ in range(10):
        started = time.perf_counter()
        assert comparer.compare(primary, shadow) is result
        took.append(time.perf_counter() - started)
    assert min(took) < 0.01


def test_results_are_remembered_but_not_for_ever(comparer: Comparer) -> None:
    pairs = [(primary_flow(b"a", TEXT), primary_flow(b"b", TEXT)) for _ in range(REMEMBERED + 1)]
    first = [compared(comparer, *pair) for pair in pairs]
    assert compared(comparer, *pairs[-1]) is first[-1]
    assert compared(comparer, *pairs[0]) is not first[0]


def test_after_close_it_starts_anew(comparer: Comparer) -> None:
    primary, shadow = primary_flow(b"a" * AT_ONCE, TEXT), primary_flow(b"b" * AT_ONCE, TEXT)
    compared(comparer, primary, shadow)
    comparer.close()
    assert compared(comparer, primary, shadow).comparison.verdict == "different"


def test_a_comparison_that_takes_too_long_is_given_up(comparer: Comparer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "LIMIT", 0.05)
    before = children()
    pair = large_pair()
    for _ in range(2):  # it is not tried again
        with pytest.raises(JobFailed, match=r"^it took more than 0\.05 s$"):
            compared(comparer, *pair)
    assert children() <= before


def test_close_kills_the_process(comparer: Comparer) -> None:
    before = children()
    assert comparer.compare(*large_pair()) is None
    (pid,) = wait_for(lambda: children() - before)
    command_line = Path(f"/proc/{pid}/cmdline")
    wait_for(lambda: b"processes/child.py" in command_line.read_bytes())  # until exec, it is a copy of this process
    os.kill(pid, signal.SIGSTOP)  # so it cannot end by itself
    comparer.close()
    wait_for(lambda: pid not in children())


def test_answers() -> None:
    flow = primary_flow(b"abc")
    flow.metadata[meta.CUT_KEY] = [3, 10]
    assert (answer_of(flow).body, answer_of(flow).bytes) == (b"abc", 10)
    flow.response = None
    assert (answer_of(flow).status, answer_of(flow).error) == (None, "no_answer")


def test_a_few_bytes_that_are_many_do_not_block_the_caller(comparer: Comparer) -> None:
    """25 bytes of brotli are 2.8 million numbers."""
    texts = [b"[" + b"1," * 2_800_000 + end + b"]" for end in (b"1", b"2")]
    headers = ((b"Content-Type", b"application/json"), (b"Content-Encoding", b"br"))
    primary, shadow = (primary_flow(brotli.compress(text), headers) for text in texts)
    assert comparer.compare(primary, shadow) is None
