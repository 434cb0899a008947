"""The page as a browser gets it; whatever stands in a request or an answer stays text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.admission.overrides import Override
from mirror_addon.admission.overrides import rule_key
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.difference import Difference
from mirror_addon.istio.resources.messages import Percent
from mirror_addon.live_page.state import not_started
from mirror_addon.mirroring.rerun import Left
from mirror_addon.mirroring.rerun import RerunResult
from mirror_addon.routing.fractions import from_percent
from mirror_addon.routing.table import RouteTable
from mirror_addon.shadow.pair import Pair
from mirror_addon.shadow.result import ShadowResult
from mirror_addon.statistics.pair_statistics import PairStatistics

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7331 * 7333 }}{% raw %}",
    "</code></details></main><h1>",
    "javascript:alert(1)",
    "<!--",
    "\x00\x1b[2J\u202e\ud800",
)
FORBIDDEN = {"img", "iframe", "object", "embed", "style", "base", "frame", "audio", "video"}


class Elements(HTMLParser):
    """All elements with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_harmless(text: str) -> Elements:
    """Nothing in a page runs, loads or styles but what the page's own files do."""
    page = Elements(text)
    for tag, attributes in page.found:
        assert tag not in FORBIDDEN
        assert not any(name.startswith("on") or name == "style" for name in attributes), attributes
        if tag == "script":
            assert attributes["src"] == "/static/page.js"
        for name in ("href", "src", "action"):
            assert re.match(r"/|#|$", attributes.get(name) or ""), attributes
    return page


@pytest.mark.parametrize("path", ["/", "/parts"])
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(
    client: FlaskClient, source: Any, make_pair: Callable[..., Pair], given: Callable[..., None], path: str, text: str
) -> None:
    source.now.statistics.pair(make_pair(text))
    given(problem=text, totals={"offered": 1, "failed": 1, f"failed.{text}": 1}, requests=1)
    page = assert_harmless(client.get(path).text)
    assert str(7331 * 7333) not in page.text
    reply = client.get("/api/status.json")
    assert reply.content_type == "application/json"
    assert json.loads(reply.data)["differing"][0]["method"] == text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@generated(text=st.text())
def test_any_text_stays_text(client: FlaskClient, source: Any, make_pair: Callable[..., Pair], text: str) -> None:
    source.now.statistics.pair(make_pair(text))
    assert_harmless(client.get("/parts").text)


def test_a_rule_is_shown_with_its_percent(client: FlaskClient, example_table: RouteTable, given: Any) -> None:
    given(table=example_table)
    page = assert_harmless(client.get("/").text)
    assert "serviceB/v2 100 % -> 127.0.0.1:9002" in page.text
    rules = [attributes["value"] for _, attributes in page.found if attributes.get("name") == "rule"]
    assert rules == ["default/serviceB http[0]"] * 2


def test_a_rule_that_was_changed_by_hand(client: FlaskClient, example_table: RouteTable, given: Any) -> None:
    (rule,) = example_table.mirroring
    override = Override(rule, paused=True, fraction=from_percent(Percent(value=2.5)))
    given(table=example_table, overrides={rule_key(rule): override})
    page = assert_harmless(client.get("/").text)
    assert "Changed by hand until the proxy ends: paused, 2.5 % of the requests" in page.text
    assert "Resume this rule" in page.text
    percents = [attributes["value"] for _, attributes in page.found if attributes.get("name") == "percent"]
    assert percents == ["2.5", "reset"]
    assert client.get("/api/status.json").json["overrides"] == [f"{rule}: paused, 2.5 % of the requests"]


def test_why_nothing_is_said(client: FlaskClient, given: Any) -> None:
    assert "Nothing is to be mirrored" in client.get("/").text
    given(totals={"sent": 1})
    assert "Nothing has been mirrored" not in client.get("/").text


def test_before_the_start(client: FlaskClient, source: Any) -> None:
    source.now = not_started()
    page = assert_harmless(client.get("/").text)
    assert "Not started" in page.text
    assert not any(tag == "form" for tag, _ in page.found)


def test_comparing_begins_with_the_pages_script_and_not_with_a_request(client: FlaskClient, source: Any) -> None:
    for path in ("/", "/metrics", "/api/status.json", "/parts", "/static/page.css"):
        for headers in ({}, {"Sec-Fetch-Dest": "image"}, {"Sec-Fetch-Dest": "document", "Sec-Fetch-User": "?1"}):
            assert client.get(path, headers=headers).status_code == 200
    assert client.get("/compare").status_code == 405
    assert client.post("/compare", data={"token": "x"}).status_code == 403
    assert client.post("/compare", data=form(client), headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert source.times_opened == 0
    assert client.post("/compare", data=form(client), headers={"Accept": "text/plain"}).status_code == 204
    assert client.post("/compare", data=form(client)).location == "/"
    assert source.times_opened == 2


def form(client: FlaskClient, **fields: str) -> dict[str, str]:
    token = re.search(r'name="token" value="([^"]+)"', client.get("/").text)
    assert token
    return {"token": token[1]} | fields


def test_buttons(client: FlaskClient, source: Any, given: Any) -> None:
    assert "Resume" not in client.get("/").text
    reply = client.post("/pause", data=form(client), headers={"Accept": "text/plain"})
    assert (reply.status_code, reply.text) == (200, "pause is done\n")
    given(mode="paused")
    reply = client.post("/resume", data=form(client))
    assert (reply.status_code, reply.location) == (303, "/")
    client.post("/percent", data=form(client, rule="default/b http[0]", percent="5"))
    client.post("/pause", data=form(client, rule="default/b http[0]"))
    assert source.commands == [
        ("pause",),
        ("resume",),
        ("percent", "default/b http[0]", "5"),
        ("pause", "default/b http[0]"),
    ]


def test_findings_and_their_buttons(
    client: FlaskClient, source: Any, make_pair: Callable[..., Pair], given: Any
) -> None:
    lost = Difference("$.items[*].tax", "missing", 1, None, "", "$.items[0].tax")
    same = ShadowResult("f/0", "b/v2", "sent", status=200, total_ms=20)
    for name in "ab":
        pair = make_pair("GET", comparison=Comparison("different", (lost,)), result=same, url=f"http://x.test/{name}")
        source.now.statistics.pair(pair)
    page = assert_harmless(client.get("/").text)
    assert "1 finding in 2 differing pairs" in page.text and "2 endpoints" in page.text
    assert "- path: $.items[*].tax\n  ignore: true\n  accepted: f69d1514f" in page.text  # shown before it is written
    assert "200 vs 200" not in page.text and page.text.count("$.items[*].tax missing") == 1
    client.post("/accept", data=form(client, finding="f69d1514f"))
    client.post("/ignore", data=form(client, finding="f69d1514f"))
    assert client.post("/accept", data={"finding": "f69d1514f"}).status_code == 403  # without the page's token
    given(accepted=frozenset({"f69d1514f"}))
    assert "Remove the rule" in client.get("/").text
    client.post("/accept", data=form(client, finding="f69d1514f", action="reset"))
    assert source.commands == [("accept", "f69d1514f"), ("ignore", "f69d1514f"), ("accept", "f69d1514f", "reset")]
    (finding,) = client.get("/api/status.json").json["findings"]
    assert (finding["id"], finding["state"], finding["pairs"]) == ("f69d1514f", "accepted", 2)


def test_a_command_that_is_refused_says_why(client: FlaskClient, source: Any) -> None:
    source.refuses = "<b>no such rule</b>"
    reply = client.post("/percent", data=form(client, rule="x", percent="5"))
    assert (reply.status_code, reply.text) == (400, "<b>no such rule</b>\n")
    assert reply.content_type == "text/plain; charset=utf-8"


def test_works_without_scripts(client: FlaskClient) -> None:
    page = Elements(client.get("/").text)
    assert ("meta", {"http-equiv": "refresh", "content": "10"}) in page.found


def test_parts_are_those_of_the_page(client: FlaskClient, source: Any, make_pair: Callable[..., Pair]) -> None:
    source.now.statistics.pair(make_pair())
    ids = [attributes["id"] for tag, attributes in Elements(client.get("/parts").text).found if tag == "section"]
    assert ids == [attributes["id"] for tag, attributes in Elements(client.get("/").text).found if tag == "section"]
    assert len(set(ids)) == len(ids) > 5


def test_status_for_scripts(client: FlaskClient, source: Any, make_pair: Callable[..., Pair], given: Any) -> None:
    source.now.statistics.pair(make_pair())
    given(
        requests=3,
        unmatched=2,
        totals={"offered": 1, "sent": 1},
        targets={"x": {"sent": 1}},
        expires=0.0,
        compared_since=0.0,
    )
    given(backoffs=[{"target": "x", "share": 0.5}])
    told = client.get("/api/status.json").json
    assert told["version"] == 1
    assert told["state"] == "mirroring"
    assert told["counters"] == {"requests": 3, "unmatched": 2, "offered": 1, "sent": 1}
    assert told["targets"] == {"x": {"sent": 1}}
    assert told["backoffs"] == [{"target": "x", "share": 0.5}]
    (route,) = told["routes"]
    assert (route["rule"], route["different"], route["compared"], route["primary_ms"]["p50"]) == (
        "x",
        1,
        1,
        pytest.approx(10, rel=0.05),
    )
    (pair,) = told["differing"]
    assert pair["differences"] == [
        {"path": "$.x", "kind": "value", "primary": "x", "shadow": {"x": ["x"]}, "noise": ""}
    ]
    assert (pair["primary"]["status"], pair["shadow"]["status"]) == (200, 500)


def test_rendering_is_quick(client: FlaskClient, source: Any, make_pair: Callable[..., Pair]) -> None:
    import time

    statistics: PairStatistics = source.now.statistics
    for number in range(300):
        statistics.pair(make_pair(f"{number}"))
    client.get("/parts")
    before = time.process_time()
    for _ in range(5):
        assert client.get("/parts").status_code == 200
    assert (time.process_time() - before) / 5 < 0.2


@pytest.mark.parametrize("path", ["/nothing", "/static/../app.py", "/static/%2e%2e/app.py", "/static/"])
def test_other_paths(client: FlaskClient, path: str) -> None:
    reply = client.get(path)
    assert (reply.status_code, reply.content_type) == (404, "text/plain; charset=utf-8")


def test_characters_that_act_are_shown_as_escapes(
    client: FlaskClient, source: Any, make_pair: Callable[..., Pair], given: Callable[..., None]
) -> None:
    hostile = "\x1b[2J\x85\u202e\u2066\udcff"
    source.now.statistics.pair(make_pair(hostile))
    given(problem=hostile, totals={"offered": 1, f"failed.{hostile}": 1}, targets={hostile: {"sent": 1}}, requests=1)
    for path in ("/", "/parts"):
        text = client.get(path).text
        assert "\\x1b[2J\\x85\\u202e\\u2066\\udcff" in text
        assert not set(hostile) & set(text) - set("[2J")
    given(requests=1000)
    assert "1\u202f000" in client.get("/").text
    metrics = client.get("/metrics")
    assert metrics.status_code == 200
    assert "\u202e" not in metrics.text
    status = client.get("/api/status.json")
    assert status.status_code == 200
    assert status.data.isascii()


@pytest.mark.parametrize("text", HOSTILE)
def test_what_was_sent_again(client: FlaskClient, given: Any, text: str) -> None:
    shown = (Left(text, text, text),)
    given(reruns=(RerunResult(0.0, text, 14, 12, 2, (text,), {}, shown), RerunResult(0.0, "c", 1, 1, 0, (), {}, ())))
    page = assert_harmless(client.get("/").text)
    assert "12 of 14 fixed, 2 left, 1 new" in page.text and "And 1 more." in page.text
    assert "No pair differs any more." in page.text
