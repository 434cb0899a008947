"""Lines and table, as they come out at any width and in any encoding."""

from __future__ import annotations

import io
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.test import taddons

from mirror_addon.commands.terminal import FIRST
from mirror_addon.commands.terminal import HINT
from mirror_addon.commands.terminal import MOST_FIRST
from mirror_addon.commands.terminal import PAUSE
from mirror_addon.commands.terminal import Terminal
from mirror_addon.commands.terminal import line
from mirror_addon.commands.terminal import summary
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.difference import Difference
from mirror_addon.shadow.pair import Pair
from mirror_addon.shadow.result import ShadowResult
from mirror_addon.statistics.pair_statistics import PairStatistics

PATHS = ("status", "$.price", "$.items[*].name", "header:content-type", "$.x")


def pair(
    comparison: Comparison | None = None,
    *,
    result: ShadowResult | None = None,
    url: str = "http://b/x",
    status: int | None = 200,
    rule: str = "default/b http[0]",
    target: str = "b/v2",
    control: bool = False,
) -> Pair:
    result = result or ShadowResult("f/0", target, "sent", status=200, total_ms=51.4)
    return Pair("f/0", "f", rule, "b/v1", result.label, "GET", url, control, status, 10.0, result, comparison)


def different(*paths: str, more: int = 0) -> Comparison:
    return Comparison("different", tuple(Difference(path, "value", 1, 2) for path in paths), more=more)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (pair(), "GET http://b/x -> b/v2: 200 vs 200, +41 ms"),
        (pair(Comparison("same")), "GET http://b/x -> b/v2: 200 vs 200, same, +41 ms"),
        (pair(different("$.price")), "GET http://b/x -> b/v2: 200 vs 200, different: $.price, +41 ms"),
        (
            pair(different(*PATHS, more=3)),
            "GET http://b/x -> b/v2: 200 vs 200, different: status, $.price, $.items[*].name and 5 more, +41 ms",
        ),
        (
            pair(result=ShadowResult("f/0", "b/v2", "failed", "connect", "refused"), status=None),
            "GET http://b/x -> b/v2: failed: connect (refused)",
        ),
        (
            pair(result=ShadowResult("f/0", "b/v2", "sent", status=500, total_ms=4), status=None),
            "GET http://b/x -> b/v2: no response vs 500, -6.0 ms",
        ),
        (pair(url="http://b/\x1b[2J\n\u202e"), "GET http://b/\\x1b[2J\\n\\u202e -> b/v2: 200 vs 200, +41 ms"),
    ],
)
def test_a_line(given: Pair, said: str) -> None:
    assert line(given) == said


def test_a_long_url_is_cut() -> None:
    assert "x… -> b/v2" in line(pair(url="http://b/" + "x" * 1000))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_only_differing_pairs_are_told_and_not_too_many(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    clock = Clock()
    terminal = Terminal(clock)
    terminal.pair(pair(different("$.x"), control=True))
    assert caplog.messages == []
    terminal.pair(pair(Comparison("same")))
    terminal.pair(pair(Comparison("noise")))
    assert len(caplog.messages) == 1
    caplog.clear()
    for _ in range(1000):
        terminal.pair(pair(different("$.price")))
    assert len(caplog.messages) == FIRST + 1
    assert "at most one line every 10 s" in caplog.messages[-1]
    clock.now += PAUSE
    terminal.pair(pair(different("$.last")))
    assert caplog.messages[-1].endswith(f"different: $.last, +41 ms ({1000 - FIRST} more since the last line)")
    clock.now += PAUSE
    terminal.pair(pair(different("$.quiet")))
    assert caplog.messages[-1].endswith("different: $.quiet, +41 ms")


def test_the_first_shadow_of_each_rule_and_mirror(caplog: pytest.LogCaptureFixture) -> None:
    """It shows that mirroring works, whatever came of it."""
    caplog.set_level(logging.INFO)
    terminal = Terminal()
    for _ in range(3):
        terminal.pair(pair(Comparison("same"), rule="a/b http[0]"))
        terminal.pair(pair(Comparison("same"), rule="a/b http[0]", target="c"))
        terminal.pair(pair(rule="a/b http[1]"))
        terminal.pair(pair(result=ShadowResult("f/0", "b/v2", "failed", "connect", "refused"), rule="a/b http[2]"))
    assert caplog.messages == [
        "mirror: first shadow of a/b http[0]: GET http://b/x -> b/v2: 200 vs 200, same, +41 ms",
        "mirror: first shadow of a/b http[0]: GET http://b/x -> c: 200 vs 200, same, +41 ms",
        "mirror: first shadow of a/b http[1]: GET http://b/x -> b/v2: 200 vs 200, not compared, +41 ms",
        "mirror: first shadow of a/b http[2]: GET http://b/x -> b/v2: failed: connect (refused)",
    ]


def test_first_shadows_of_many_rules(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    terminal = Terminal()
    for number in range(3 * MOST_FIRST):
        terminal.pair(pair(Comparison("same"), rule=f"rule {number}"))
    assert len(caplog.messages) == MOST_FIRST


async def test_verbose_tells_every_shadow_at_the_level_of_v(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    terminal = Terminal()
    with taddons.context() as context:
        context.options.add_option("termlog_verbosity", str, "info", "")
        context.options.termlog_verbosity = "debug"
        terminal.configure({"termlog_verbosity"})
    terminal.pair(pair(different("$.x")))
    assert caplog.messages[-1].startswith("mirror: first shadow of ")
    caplog.clear()
    for _ in range(2 * FIRST):
        terminal.pair(pair(different("$.x")))
    assert [record.levelno for record in caplog.records] == [logging.DEBUG] * 2 * FIRST


def statistics(*pairs: Pair) -> PairStatistics:
    made = PairStatistics()
    for each in pairs:
        made.pair(each)
    return made


def test_the_table() -> None:
    text = summary(
        statistics(
            pair(different("$.price")),
            pair(Comparison("same")),
            pair(result=ShadowResult("f/0", "b/v2", "failed", "timeout")),
            pair(result=ShadowResult("f/0", "b/v2", "dropped", "queue_full")),
        ),
        width=140,
    )
    (row,) = (each for each in text.splitlines() if "default/b http[0]" in each)
    assert row.split()[:8] == ["default/b", "http[0]", "b/v1", "->", "b/v2", "2", "1", "(50"]
    assert "1 timeout" in text
    assert "1 queue_full" in text
    assert text.endswith("\ncompared 2 of 2.")


def test_nothing_to_tell() -> None:
    assert summary(statistics()) == ""


def test_the_hint_where_nothing_was_compared() -> None:
    assert summary(statistics(pair())).endswith("\ncompared 0 of 1" + HINT)


def test_the_hint_where_some_were_compared() -> None:
    text = summary(statistics(*[pair()] * 1998, pair(Comparison("same")), pair(different("$.price"))), width=140)
    assert "\ncompared 2 of 2,000; of the others, only the status codes." in text
    (row,) = (each for each in text.splitlines() if "default/b http[0]" in each)
    assert row.split()[5:9] == ["2000", "2", "1", "0"], "no share of pairs that nobody looked at"
    assert "compared" in text.splitlines()[0]


def test_a_long_table_is_cut() -> None:
    text = summary(statistics(*(pair(rule=f"r{number}") for number in range(100))), width=140)
    assert "and 70 more rows" in text


NAMES = st.text(max_size=30)


@given(st.integers(0, 250), st.sampled_from(["utf-8", "ascii", "latin-1", "cp1252", "euc-kr", None]), NAMES)
def test_any_width_and_encoding(width: int, encoding: str | None, name: str) -> None:
    text = summary(statistics(pair(rule=name), pair(rule="a" * 90)), width=width, encoding=encoding)
    assert text.encode(encoding or "utf-8")


def test_a_summary_for_a_terminal_without_unicode(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))
    monkeypatch.setenv("COLUMNS", "1")
    Terminal().summary(statistics(pair(rule="é")))
    (message,) = caplog.messages
    assert message.isascii()
    assert "\\xe9" in message
