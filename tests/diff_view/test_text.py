from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import flow as mitm_flow
from pairtools import primary_flow

from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.twin_values import Translation
from mirror_addon.diff_view import text as diff_text
from mirror_addon.diff_view.text import Line
from mirror_addon.diff_view.text import sampled
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.trace import explain
from mirror_addon.shadow_flows import metadata as meta
from mirror_addon.shadow_flows.shadow_flow import status_of

RULES = b"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.test]
  http:
  - match: [{uri: {prefix: /all}}]
    route: [{destination: {host: b}}]
    mirror: {host: c}
  - match: [{uri: {prefix: /none}}]
    route: [{destination: {host: b}}]
    mirror: {host: c}
    mirrorPercentage: {value: 0}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop-users, annotations: {mirror-addon/sample-by: "header:x-user"}}
spec:
  hosts: [shop.test]
  http:
  - match: [{uri: {prefix: /user}}]
    route: [{destination: {host: b}}]
    mirror: {host: c}
    mirrorPercentage: {value: 0.01}
"""


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


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            "mirror b/v2: drawn: draw % 100 = 31 < 100 (100 %), to [::1]:9",
            "mirror b/v2: sampled: yes (100 %), to [::1]:9",
        ),
        ("mirror b/v2: not drawn: draw % 1000000 = 131 >= 100 (0.01 %)", "mirror b/v2: sampled: no (0.01 %)"),
        (
            "mirror b: drawn (draw % 100 = 0 < 100 (100 %)), but skipped: no_endpoint: no endpoint",
            "mirror b: sampled: yes (100 %), but skipped: no_endpoint: no endpoint",
        ),
        (
            "mirror b: not drawn: by header:x-user: 41.250000 % >= 20 %",
            "mirror b: sampled: no (by header:x-user: 20 %)",
        ),
        (
            "mirror b: drawn: no cookie:u, so draw % 100 = 3 < 50 (50 %), to b:2",
            "mirror b: sampled: yes (no cookie:u, so 50 %), to b:2",
        ),
        ("draw % 100 = 3 of 50, 50: b/v1", "draw % 100 = 3 of 50, 50: b/v1"),
        ("mirror b: header of the shadow: x", "mirror b: header of the shadow: x"),
        ("mirror b: drawn: otherwise", "mirror b: drawn: otherwise"),
    ],
)
def test_sampling_in_words(line: str, shown: str) -> None:
    assert sampled(line) == shown


def test_every_line_of_a_real_trace_is_put_in_words() -> None:
    """The patterns follow what routing.trace writes."""
    table = RouteTable.build(parse_sources([Source("a.yaml", RULES)]).resources, Identity())
    for path, word in ((b"/all", "yes (100 %)"), (b"/none", "no (0 %)"), (b"/user", "no (by header:x-user: 0.01 %)")):
        asked = Request(b"GET", b"http", b"shop.test", path, ((b"x-user", b"ada"),), 80)
        lines = [sampled(line) for line in explain(table, asked, 7)]
        assert any(f"sampled: {word}" in line for line in lines), lines
        assert not any("drawn" in line for line in lines)


def test_what_was_translated() -> None:
    comparison = Comparison("same", twin=(Translation("path[1]", "1007", "2001", "5d0c/12"),))
    assert texts(list(diff_text.twin(comparison))) == [
        " ",
        "Translated in the shadow (- primary, + the mirror's own)",
        "  path[1], learned from 5d0c/12",
        "    - 1007",
        "    + 2001",
    ]
    assert not list(diff_text.twin(Comparison("same"))) and not list(diff_text.twin(Comparison("same", twin=())))
