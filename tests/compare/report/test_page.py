from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.compare.report import page as module
from mirror_addon.compare.report.conditions import judge
from mirror_addon.compare.report.conditions import parse_condition
from mirror_addon.compare.report.page import matrix
from mirror_addon.compare.report.page import page
from mirror_addon.compare.report.summary import Summary
from mirror_addon.display.text import printable

Record = Callable[..., dict[str, Any]]
Summarise = Callable[..., Summary]
VOID = {"meta", "br", "img", "input", "link", "hr"}


class Page(HTMLParser):
    """The elements of a page with their attributes, its visible text; fails where an element is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if self._open[-1:] != ["style"] else ""

    @property
    def shape(self) -> Counter[tuple[str, tuple[str, ...]]]:
        return Counter((tag, tuple(sorted(attributes))) for tag, attributes in self.elements)


def report(summary: Summary, *conditions: str) -> Page:
    text = page(summary, list(judge([parse_condition(each) for each in conditions], summary)), ["record.jsonl"])
    assert text.startswith("<!DOCTYPE html>")
    return Page(text)


def many(line: Record, different: Record, lost: Record) -> list[dict[str, Any]]:
    return [
        *[line()] * 90, *[different("$.price")] * 5, *[different("$.at", noise="time")] * 5, lost("reset"),
        *[line(url="http://b/other", ms=30.0, verdict=None)] * 3, line(target="b/v3"),
        line(control=True), line(control=True), line(control=True), line(control=True),
    ]  # fmt: skip


def test_what_is_told(line: Record, different: Record, lost: Record, summary_of: Summarise) -> None:
    found = report(summary_of(*many(line, different, lost)), "differing > 1%", "each failed > 50%")
    for text in (
        "1 of 2 targets respond differently",
        "failed 'differing > 1%' holds for b/v1 → b/v2: differing 5 of 100, 5.00 %",
        "b/v1 → b/v3",
        "GET /users/{id}",
        "$.price",
        "id f1/0",
        "GET http://b.test/users/7?x=1",
        "failed: reset 1",
        "Wilson",
        "MOVER",
        "by more than 20 % relative",
        "control pairs: 0 %",
    ):
        assert text in re.sub(r"\s+", " ", found.text), text
    assert "each failed" not in found.text  # asked of endpoints, passed: not worth a line each


def test_it_needs_nothing_but_itself(line: Record, different: Record, lost: Record, summary_of: Summarise) -> None:
    found = report(summary_of(*many(line, different, lost)))
    for tag, attributes in found.elements:
        assert tag not in {"script", "link", "iframe", "object", "embed", "img", "base", "form"}
        assert not any(
            name.startswith("on") or name in {"src", "srcset", "action", "xlink:href"} for name in attributes
        )
        assert tag == "a" or "href" not in attributes
    policies = [each["content"] for tag, each in found.elements if tag == "meta" and "http-equiv" in each]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]
    style = re.sub(r"/\*.*?\*/", "", page(summary_of(line()), [], [])[:20_000])
    assert "@import" not in style and "url(" not in style


def test_links_lead_somewhere_and_ids_are_unique(
    line: Record, different: Record, lost: Record, summary_of: Summarise
) -> None:
    found = report(summary_of(*many(line, different, lost)))
    ids = [each["id"] for _, each in found.elements if "id" in each]
    assert len(ids) == len(set(ids))
    for tag, attributes in found.elements:
        for name in ("aria-labelledby", "href"):
            if name in attributes:
                assert (attributes[name] or "").removeprefix("#") in ids, (tag, attributes)


def test_pictures_have_words(line: Record, different: Record, lost: Record, summary_of: Summarise) -> None:
    found = report(summary_of(*many(line, different, lost)))
    pictures = [each for tag, each in found.elements if tag == "svg"]
    assert pictures and all(each["role"] == "img" and each["aria-labelledby"] for each in pictures)
    assert "Distribution of the response times of primary and shadow: p50" in found.text
    assert all(each.get("tabindex") == "0" for _, each in found.elements if each.get("class") == "scroll")


def test_hostile_content_changes_no_element(
    hostile_summary: Summary, hostile: str, line: Record, summary_of: Summarise
) -> None:
    difference = {"path": "$.a", "kind": "value", "primary": {"b": "c"}, "shadow": "d", "where": "e"}
    texts = {"id": "i", "time": "t", "route": "r", "target": "v", "method": "GET", "url": "http://b.test/u"}
    benign = summary_of(
        line(verdict="different", differences=[difference], **texts),
        line(verdict="noise", differences=[difference | {"noise": "n"}], **texts),
        line(verdict="failed", status=None, error="e", **texts),
    )
    found, expected = report(hostile_summary, "differing > 0"), report(benign, "differing > 0")
    assert found.shape == expected.shape
    assert printable(hostile) in found.text
    for _, attributes in found.elements:
        for name, value in attributes.items():
            assert name in {"aria-label", "aria-labelledby"} or hostile not in (value or "")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=st.sampled_from("<>&\"'`/=!-{}%#a \x00\u2028\ud800é"), min_size=1, max_size=12))
def test_any_text_stays_text(line: Record, summary_of: Summarise, text: str) -> None:
    difference = {"path": text, "kind": text, "primary": text, "shadow": {text: text}, "where": "w" + text}
    summary = summary_of(line(verdict="different", differences=[difference], id=text, target=text, route="r" + text))
    found = report(summary)
    assert found.text.count(printable(text)) >= 5
    assert {tag for tag, _ in found.elements}.isdisjoint({"script", "img", "b", "i " + text})


def test_long_reports_say_what_they_leave_out(
    line: Record, different: Record, summary_of: Summarise, monkeypatch: Any
) -> None:
    monkeypatch.setattr(module, "MAX_DETAILS", 2)
    monkeypatch.setattr(module, "MAX_FIELDS", 2)
    summary = summary_of(
        *[line(url=f"http://b/{name}") for name in "abc"], different("$.a", "$.b", "$.c", "$.d", url="http://b/x")
    )
    found = report(summary)
    assert "and 2 more fields" in found.text and "Details are shown for the first 2 endpoints" in found.text
    assert sum(tag == "details" for tag, _ in found.elements) == 2


def test_records_with_little_in_them(line: Record, lost: Record, summary_of: Summarise) -> None:
    for records in (
        [line(control=True)],
        [lost("reset")],
        [line(verdict=None)],
        [line(ms=None)],
        [line(ms=0.0, primary_ms=0.0)],
    ):
        assert report(summary_of(*records), "differing > 1%").text


def test_the_matrix_of_statuses(line: Record, lost: Record, summary_of: Summarise) -> None:
    summary = summary_of(line(), line(), line(status=500), line(primary_status=404, status=404), lost("reset"))
    assert matrix(summary.targets[0].total) == {
        "columns": [200, 404, 500, None],
        "rows": [
            (200, [(2, True), (0, False), (1, False), (1, False)]),
            (404, [(0, False), (1, True), (0, False), (0, False)]),
        ],
    }


def test_findings_stand_first_and_the_tail_is_folded(line: Record, different: Record, summary_of: Summarise) -> None:
    lines = [line(url=f"http://b.test/e{chr(97 + number // 26)}{chr(97 + number % 26)}") for number in range(60)]
    found = report(summary_of(different("$.a", url="http://b.test/eaa"), *lines))
    text = re.sub(r"\s+", " ", found.text)
    assert "1 finding in 1 differing pair" in text and "- {path: $.a, accepted: f" in text
    assert text.index("1 finding in") < text.index("Endpoints") < text.index("Fields overall")
    assert "35 more endpoints, with less evidence" in text
    assert [each for tag, each in found.elements if tag == "details" and "open" in each] == []
    many = report(summary_of(*(different(f"$.a{number}x") for number in range(module.MAX_FINDINGS + 1))))
    assert "and 1 more findings" in re.sub(r"\s+", " ", many.text)
    style = page(summary_of(line()), [], [])
    assert "break-after: page" in style and "details:not([open])" in style
