from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import flow as mitm_flow
from pairtools import primary_flow

from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.difference import Difference
from mirror_addon.diff_view import text as diff_text
from mirror_addon.diff_view.text import Line
from mirror_addon.shadow_flows import metadata as meta
from mirror_addon.shadow_flows.shadow_flow import status_of


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


def test_responses_by_structure_what_does_not_count_apart() -> None:
    comparison = Comparison(
        "different",
        (
            Difference("status", "value", 200, 500, where="status"),
            Difference("$.items[*].price", "value", 12.5, "12.5", where="$.items[3].price"),
            Difference("$.new", "extra", None, {"a": [1]}),
            Difference("$.old", "missing", True, None),
            Difference("header:date", "value", "Mon", "Tue", "time"),
        ),
        ("a note",),
        4,
    )
    assert texts(list(diff_text.responses(comparison, ()))) == [
        " ",
        "Response (- primary, + shadow)",
        "  status: value",
        "    - 200",
        "    + 500",
        "  $.items[*].price: value, first at $.items[3].price",
        "    - 12.5",
        '    + "12.5"',
        "  $.new: extra",
        '    + {"a": [1]}',
        "  $.old: missing",
        "    - true",
        "  and 4 more differences, not listed",
        " ",
        "Differs, does not count",
        '  ~ header:date: value (time): "Mon" | "Tue"',
        "  note: a note",
    ]


def test_a_body_has_its_lines_in_colours() -> None:
    comparison = Comparison("different", (Difference("body", "value", "a", "b"),))
    lines = list(diff_text.responses(comparison, ["@@ -1 +1 @@", "-a", "+b"]))
    assert lines[3:] == [Line("text", "    @@ -1 +1 @@"), Line("primary", "    -a"), Line("shadow", "    +b")]


def test_heading() -> None:
    primary, shadow = primary_flow(), primary_flow()
    shadow.metadata.update({meta.TARGET_KEY: "b/v2", meta.RULE_KEY: "default/shop http[0]"})
    noise = Difference("$.t", "value", 1, 2, "time")
    comparison = Comparison("different", (Difference("$.a", "value", 1, 2), noise, noise))
    primary.metadata[meta.ASKED_KEY] = ["GET", "http", "shop.test", "/b/x"]
    assert texts(list(diff_text.heading(primary, shadow, comparison))) == [
        "different · 1 difference · 2 that do not count",
        f"shadow  {shadow.id[:8]} -> b/v2, by default/shop http[0]",
        f"primary {primary.id[:8]}    GET http://shop.test/b/x",
    ]
    assert texts(list(diff_text.heading(None, shadow, None)))[0] == "not compared"
    assert texts(list(diff_text.heading(None, shadow, Comparison("same"))))[0] == "same"
    shadow.metadata[meta.CONTROL_KEY] = True
    assert "own noise" in texts(list(diff_text.heading(primary, shadow, comparison)))[-1]
    shadow.error = mitm_flow.Error("connect: refused")
    assert texts(list(diff_text.heading(primary, shadow, Comparison("failed"))))[0] == "failed · connect: refused"


def test_times_and_sizes_stand_in_columns() -> None:
    primary, shadow = primary_flow(), primary_flow(b"ab")
    assert shadow.response
    shadow.response.timestamp_end = 1000.05
    shadow.metadata[meta.CUT_KEY] = [2, 10]
    assert texts(list(diff_text.side_by_side(primary, shadow))) == [
        "             primary    shadow",
        "status       200        200",
        "total        20.0 ms    50.0 ms              +30.0 ms",
        "first byte   10.0 ms    10.0 ms",
        "connect      -          -",
        "body         12 bytes   10 bytes, cut at 2",
    ]
    shadow.response = None
    assert texts(list(diff_text.side_by_side(primary, shadow)))[1].split(maxsplit=2)[2] == status_of(shadow)


def test_times_of_a_new_connection() -> None:
    primary, shadow = primary_flow(), primary_flow()
    shadow.server_conn.timestamp_start, shadow.server_conn.timestamp_tcp_setup = 1000.0, 1000.0625
    shadow.server_conn.timestamp_tls_setup = None
    assert texts(list(diff_text.side_by_side(primary, shadow)))[4].split() == ["connect", "-", "62.5", "ms"]


def test_requests() -> None:
    primary, shadow = primary_flow(), primary_flow(path=b"/y")
    shadow.metadata[meta.ADAPTIONS_KEY] = ["obs_fold"]
    assert texts(list(diff_text.requests(primary, shadow)))[1:] == [
        "Request as sent (- primary, + shadow)",
        "  path",
        "    - /x",
        "    + /y",
        "  could not be sent exactly as it is: obs_fold",
    ]


@given(st.text())
def test_lines_are_clean(text: str) -> None:
    cleaned = diff_text.clean(text)
    assert cleaned.encode()
    assert len(cleaned.splitlines()) == 1
