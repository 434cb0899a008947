"""Seeded causes over many endpoints, compared, recorded and counted as in a real run."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.causes import causes_of
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.endpoint import endpoint_of
from mirror_addon.compare.findings import Finding
from mirror_addon.compare.record import About
from mirror_addon.compare.record import record_line
from mirror_addon.compare.report import tally as tally_module
from mirror_addon.compare.report.lines import LineParser
from mirror_addon.compare.report.lines import RecordLine
from mirror_addon.compare.report.summary import NoiseRule
from mirror_addon.compare.report.summary import Summary
from mirror_addon.compare.report.summary import summarise
from mirror_addon.compare.report.tally import RecordTally

Record = Callable[..., dict[str, Any]]
Summarise = Callable[..., Summary]
Shadow = dict[str, Any]


def body(number: int) -> dict[str, Any]:
    lines = [
        {"sku": f"sku-{number}-{line}", "price": line + 0.25, "tax": 0.19 + line, "stock": line} for line in range(4)
    ]
    return {
        "number": number, "items": lines, "total": number * 1.5 + 7, "currency": "EUR", "active": True,
        "customer": {"city": "Berlin", "street": f"Road {number}"}, "by_id": {str(number): {"rank": 1}},
    }  # fmt: skip


def _of_items(**change: Any) -> Callable[[Shadow], None]:
    def apply(shadow: Shadow) -> None:
        for item in shadow["body"]["items"]:
            item.update(change)

    return apply


def _without_tax(shadow: Shadow) -> None:
    for item in shadow["body"]["items"]:
        del item["tax"]


def _price_as_text(shadow: Shadow) -> None:
    for item in shadow["body"]["items"]:
        item["price"] = str(item["price"])


def _renamed(shadow: Shadow) -> None:
    shadow["body"]["customer"]["town"] = shadow["body"]["customer"].pop("city")


def _failing(status: int) -> Callable[[Shadow], None]:
    def apply(shadow: Shadow) -> None:
        shadow.update(status=status, body={"error": "no", "trace": ["a", "b"]}, headers={"content-type": "text/plain"})

    return apply


CAUSES: dict[str, Callable[[Shadow], None]] = {
    "tax missing": _without_tax,
    "price as text": _price_as_text,
    "stock null": _of_items(stock=None),
    "field added": _of_items(debug=1),
    "total off": lambda shadow: shadow["body"].update(total=shadow["body"]["total"] + 1),
    "order": lambda shadow: shadow["body"]["items"].reverse(),
    "element lost": lambda shadow: shadow["body"]["items"].pop(),
    "renamed": _renamed,
    "currency": lambda shadow: shadow["body"].update(currency="USD"),
    "by id": lambda shadow: [each.update(rank=2) for each in shadow["body"]["by_id"].values()],
    "header missing": lambda shadow: shadow["headers"].pop("cache-control"),
    "header changed": lambda shadow: shadow["headers"].update(vary="Cookie"),
    "500": _failing(500),
    "404": _failing(404),
    "no content": lambda shadow: shadow.update(status=204, body=None),
}
PATHS = ("orders", "carts", "users", "stores", "invoices", "payments", "items", "reviews", "offers", "returns")


def answer(side: Shadow) -> Answer:
    content = b"" if side["body"] is None else json.dumps(side["body"]).encode()
    headers = tuple((name.encode(), value.encode()) for name, value in side["headers"].items())
    return Answer(side["status"], headers, content, len(content), 5.0)


def seeded(pairs: int) -> tuple[list[bytes], list[tuple[str, ...]]]:
    """Lines of a record, and the causes that each pair has. Each cause is at some endpoints, in some of the pairs."""
    draw = random.Random(7)
    at = {name: set(draw.sample(PATHS, 1 + number % 8)) for number, name in enumerate(CAUSES)}
    lines, have = [], []
    for number in range(pairs):
        path = PATHS[number % len(PATHS)]
        url = f"http://shop.test/api/{path}/{number}"
        names = tuple(name for name in CAUSES if path in at[name] and draw.random() < 0.12)
        headers = {"content-type": "application/json", "cache-control": "max-age=60", "vary": "Accept"}
        primary: Shadow = {"status": 200, "headers": headers, "body": body(number)}
        shadow: Shadow = {"status": 200, "headers": dict(headers), "body": body(number)}
        for name in names:
            CAUSES[name](shadow) if shadow["body"] and "items" in shadow["body"] else None
        one, other = answer(primary), answer(shadow)
        about = About(f"f{number}/0", "f", 1.0, "r", "v1", "v2", False, "GET", url, 0, "c")
        lines.append(record_line(about, one, other, compare(one, other, method="GET", url=url)))
        have.append(names)
    return lines, have


def summary_of_lines(lines: list[bytes]) -> Summary:
    tally, parse = RecordTally(), LineParser(RecordLine)
    tally.add_all(map(parse, lines))
    return summarise(tally, NoiseRule())


def test_a_seeded_cause_is_one_finding_and_hides_no_other() -> None:
    lines, have = seeded(2000)
    summary = summary_of_lines(lines)
    parse = LineParser(RecordLine)
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for text, names in zip(lines, have, strict=True):
        if len(names) == 1:
            line = parse(text)
            counting = [each for each in line.differences if not each.noise]
            groups[names[0]].update(each.id for each in causes_of(counting, endpoint_of("GET", line.url)))
    assert set(groups) == set(CAUSES)
    assert sum(map(len, groups.values())) / len(groups) <= 1.2, groups
    first = {name: found.most_common(1)[0][0] for name, found in groups.items()}
    assert len(set(first.values())) == len(CAUSES)
    found = {each.id: each for each in summary.findings}
    assert set(first.values()) <= set(found)
    assert len(found) <= 1.2 * len(CAUSES)
    assert summary.differing == sum(map(bool, have))
    orders = [each.pairs for each in summary.findings]
    assert orders == sorted(orders, reverse=True)


def by_title(summary: Summary) -> dict[str, Finding]:
    return {each.cause.title: each for each in summary.findings}


def test_what_a_control_explains_is_no_finding(line: Record, different: Record, summary_of: Summarise) -> None:
    summary = summary_of(
        *[different("$.a", "$.b")] * 4, *[different("$.b", control=True)] * 4, different("$.t", noise="time")
    )
    assert list(by_title(summary)) == ["$.a value"]
    assert by_title(summary)["$.a value"].pairs == 4


def test_accepted_pairs_are_a_finding_but_do_not_differ(different: Record, summary_of: Summarise) -> None:
    summary = summary_of(different("$.a", noise="accepted"), different("$.b"))
    assert {title: each.state for title, each in by_title(summary).items()} == {
        "$.a value": "accepted",
        "$.b value": "new",
    }
    assert summary.differing == 1


def test_beyond_the_limits_every_cause_is_still_counted(
    different: Record, summary_of: Summarise, monkeypatch: Any
) -> None:
    monkeypatch.setattr(tally_module, "MAX_COMBINATIONS", 1)
    summary = summary_of(
        different("$.a"), different("$.b"), different("$.a", "$.b"), different("$.t", noise="accepted")
    )
    assert {title: each.pairs for title, each in by_title(summary).items()} == {
        "$.a value": 2, "$.b value": 2, "$.t value": 1,
    }  # fmt: skip
    assert summary.differing == 3
    monkeypatch.setattr(tally_module, "MAX_FIELDS", 1)
    summary = summary_of(different("$.a"), different("$.b"))
    assert sum(each.pairs for each in summary.findings) == 2
    monkeypatch.setattr(tally_module, "MAX_SYMPTOMS", 1)
    changes = [
        {"path": "$.a", "kind": "type", "primary": value, "shadow": None, "noise": "", "where": "$.a"}
        for value in (1, "x", [])
    ]
    summary = summary_of(*(different("$.a") | {"differences": [each]} for each in changes))
    assert sum(each.pairs for each in summary.findings) == 3 and len(summary.findings) == 2


def test_differences_that_are_not_listed(line: Record, summary_of: Summarise) -> None:
    (finding,) = summary_of(line(verdict="different", more=3)).findings
    assert finding.cause.path == "(differences not listed)" and finding.pairs == 1


def test_fields_overall_and_endpoints_by_evidence(line: Record, different: Record, summary_of: Summarise) -> None:
    summary = summary_of(
        different("$.a", url="http://b/rare"),
        *[different("$.a", url="http://b/often")] * 9, line(url="http://b/often"), different("$.t", noise="time"),
    )  # fmt: skip
    assert [each.name for each in summary.targets[0].endpoints] == ["GET /often", "GET /rare", "GET /users/{id}"]
    assert [(each.path, each.reason, each.pairs, each.endpoints) for each in summary.overall] == [
        ("$.a", "", 10, 2), ("$.t", "time", 1, 1),
    ]  # fmt: skip
