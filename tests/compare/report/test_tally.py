from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.compare.report import tally as module
from mirror_addon.compare.report.lines import LineParser
from mirror_addon.compare.report.lines import RecordLine
from mirror_addon.compare.report.summary import Summary
from mirror_addon.compare.report.tally import EndpointTally
from mirror_addon.compare.report.tally import RecordTally
from mirror_addon.compare.report.wording import calls_sentence

Record = Callable[..., dict[str, Any]]
Summarise = Callable[..., Summary]


def counted(*records: dict[str, Any]) -> RecordTally:
    tally, parse = RecordTally(), LineParser(RecordLine)
    tally.add_all(parse(json.dumps(each).encode()) for each in records)
    return tally


def only(tally: RecordTally) -> EndpointTally:
    ((endpoint,),) = (endpoints.values() for endpoints in tally.targets.values())
    return endpoint


def test_endpoints_and_targets_are_kept_apart(line: Record) -> None:
    tally = counted(
        line(url="http://b.test/users/7"),
        line(url="http://b.test/users/8?x=1"),
        line(url="http://b.test/other"),
        line(method="POST", url="http://b.test/other"),
        line(target="b/v3"),
        line(route="b/v9"),
        line(route=None),
    )
    assert sorted(tally.targets) == [("", "b/v2"), ("b/v1", "b/v2"), ("b/v1", "b/v3"), ("b/v9", "b/v2")]
    assert {name: each.fates["compared"] for name, each in tally.targets["b/v1", "b/v2"].items()} == {
        "GET /users/{id}": 2,
        "GET /other": 1,
        "POST /other": 1,
    }


def test_fates_reasons_statuses_and_times(line: Record, lost: Record) -> None:
    endpoint = only(
        counted(
            line(),
            line(verdict="different", status=500, differences=[{"path": "status"}]),
            line(verdict=None),
            lost("timeout"),
            lost("timeout", primary_status=None),
            lost("queue_full"),
            line(verdict="different", primary_status=None, primary_ms=5.0, differences=[{"path": "status"}]),
        )
    )
    assert endpoint.fates == {"compared": 3, "uncompared": 1, "failed": 2, "dropped": 1}
    assert endpoint.reasons == {("failed", "timeout"): 2, ("dropped", "queue_full"): 1}
    assert endpoint.statuses == {(200, 200): 2, (200, 500): 1, (200, None): 1, (None, None): 1, (None, 200): 1}
    assert endpoint.times.pairs == endpoint.times.primary.count == endpoint.times.shadow.count == 3
    assert list(endpoint.times.sample) == [10.0, 12.0] * 3


def test_a_pair_counts_once_in_a_field_and_by_its_counting_difference(line: Record) -> None:
    differences = [
        {"path": "$.a", "kind": "value", "primary": 1, "shadow": 2},
        {"path": "$.a", "kind": "type", "primary": 1, "shadow": "1", "noise": "time"},
        {"path": "$.b", "kind": "value", "noise": "id"},
    ]
    endpoint = only(
        counted(line(verdict="different", differences=differences), line(verdict="different", differences=differences))
    )
    assert {key: dict(each.counts) for key, each in endpoint.fields.items()} == {
        ("$.a", "value"): {"": 2},
        ("$.a", "type"): {"time": 2},
        ("$.b", "value"): {"id": 2},
    }
    (combination,) = endpoint.combinations
    assert endpoint.combinations[combination] == 2
    assert combination == endpoint.fields["$.a", "value"].bits("") | endpoint.fields["$.b", "value"].bits("id")


def test_differences_beyond_those_listed_count(line: Record) -> None:
    listed = {"path": "$.a", "kind": "value"}
    noisy = {"path": "$.b", "kind": "value", "noise": "id"}
    for record, expected in (
        (line(verdict="different", differences=[listed], more=3), {("$.a", "value"), module.UNLISTED}),
        (
            line(verdict="different", differences=[listed, noisy], more=3),
            {("$.a", "value"), ("$.b", "value")},
        ),  # counting ones come first
        (line(verdict="different"), {module.UNLISTED}),
        (line(verdict="noise", differences=[noisy], more=3), {("$.b", "value")}),
    ):
        assert set(only(counted(record)).fields) == expected


def test_examples_are_few_short_and_various(different: Record) -> None:
    same = [different("$.a") for _ in range(5)]
    others = [
        different("$.a") | {"differences": [{"path": "$.a", "kind": "value", "primary": value, "shadow": None}]}
        for value in ["x" * 5000, {"deep": ["y" * 500]}, 2**70, 4, 5]
    ]
    examples = only(counted(*same, *others)).fields["$.a", "value"].examples
    assert len(examples) == module.MAX_EXAMPLES
    assert (examples[0].primary, examples[0].shadow, examples[0].id) == (1, 2, "f1/0")
    assert all(len(json.dumps(each.primary, ensure_ascii=False)) <= module.MAX_VALUE + 10 for each in examples)
    assert examples[1].primary.endswith("x…")


def test_controls_are_counted_by_primary_and_endpoint(different: Record, line: Record) -> None:
    tally = counted(
        different("$.a", control=True, target="b/v1"),
        different("$.a", noise="time", control=True, target="b/v1"),
        line(control=True, target="b/v1"),
        line(control=True, target="b/v1", verdict=None),
        line(),
    )
    assert list(tally.controls) == [("b/v1", "GET /users/{id}")]
    (control,) = tally.controls.values()
    assert (control.pairs, control.fields) == (3, {(("$.a", "value"), ""): 1})
    assert list(tally.targets) == [("b/v1", "b/v2")]


def test_the_time_span(line: Record) -> None:
    tally = counted(line(time="2026-02"), line(time="2026-01"), line(time="2026-03"), line(time=""))
    assert (tally.lines, tally.first, tally.last) == (4, "2026-01", "2026-03")


def test_everything_is_bounded(line: Record, different: Record, lost: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, limit in {
        "MAX_TARGETS": 3,
        "MAX_ENDPOINTS": 5,
        "MAX_FIELDS": 4,
        "MAX_COMBINATIONS": 3,
        "MAX_WORDS": 2,
    }.items():
        monkeypatch.setattr(module, name, limit)
    tally = counted(*(line(target=f"t{number}", url=f"http://b/p{number}x") for number in range(20)))
    assert len(tally.targets) == 4 and sum(map(len, tally.targets.values())) <= 6
    assert sum(each.fates.total() for endpoints in tally.targets.values() for each in endpoints.values()) == 20

    endpoint = only(counted(*(different(f"$.f{number}") for number in range(20))))
    assert set(endpoint.fields) == {*((f"$.f{number}", "value") for number in range(4)), module.OTHER_FIELDS}
    assert endpoint.fields[module.OTHER_FIELDS].counts[""] == 16
    assert (len(endpoint.combinations), endpoint.uncounted) == (3, 17)

    endpoint = only(counted(different(*(f"$.f{number}" for number in range(20)))))
    assert endpoint.fields[module.OTHER_FIELDS].counts[""] == 1  # a pair counts once, whatever it differs in

    endpoint = only(counted(*(lost(f"reason{number}") for number in range(20))))
    assert len(endpoint.reasons) == 3 and endpoint.reasons["failed", "other"] == 18
    endpoint = only(counted(*(line(status=200 + number) for number in range(20))))
    assert len(endpoint.statuses) == 3 and endpoint.statuses.total() == 20

    tally = counted(*(different(f"$.f{number}", control=True, url=f"http://b/p{number}x") for number in range(20)))
    assert len(tally.controls) == 5


def test_long_texts_are_cut(different: Record) -> None:
    long = "x" * 100_000
    tally = counted(different(long, target=long, route=long, id=long, method=long, url=f"http://b/{long}", time=long))
    ((key, endpoints),) = tally.targets.items()
    (name,) = endpoints
    (field,) = endpoints[name].fields
    (example,) = endpoints[name].fields[field].examples
    for text in (*key, name, *field, example.id, example.url, example.method, example.where, tally.first):
        assert len(text) <= module.MAX_VALUE


@pytest.mark.parametrize("url", ["", "http://[::1", "http://b:x/", "//", "\x00", "http://b/%zz/\ud800", "?#"])
def test_urls_that_are_none(line: Record, url: str) -> None:
    assert only(counted(line(url=url))).fates["compared"] == 1


def test_fields_beyond_the_limit_count_if_one_of_them_does(monkeypatch: pytest.MonkeyPatch, line: Record) -> None:
    monkeypatch.setattr(module, "MAX_FIELDS", 2)

    def differing(*fields: tuple[str, str]) -> dict[str, Any]:
        return line(
            verdict="different",
            differences=[
                {"path": path, "kind": "value", "primary": 1, "shadow": 2, "noise": noise} for path, noise in fields
            ],
        )

    tally = only(
        counted(
            differing(("$.a", ""), ("$.b", "time"), ("$.c", "time"), ("$.d", ""), ("$.e", "time")),
            differing(("$.a", ""), ("$.x", "time"), ("$.y", "id")),
        )
    )
    assert {key[0]: dict(each.counts) for key, each in tally.fields.items()} == {
        "$.a": {"": 2},
        "$.b": {"time": 1},
        "(other fields)": {"": 1, "time": 1},
    }


def test_of_several_differences_of_a_field_the_first_that_counts_is_the_example(line: Record) -> None:
    listed = [
        {"path": "$.a", "kind": "value", "primary": number, "shadow": 0, "noise": noise}
        for number, noise in enumerate(("time", "", "time", ""))
    ]
    tally = only(counted(line(verdict="different", differences=listed)))
    (field,) = tally.fields.values()
    assert (dict(field.counts), [each.primary for each in field.examples]) == ({"": 1}, [1])


def test_a_line_says_its_endpoint(line: Record) -> None:
    tally = counted(line(endpoint="POST /graphql GetUser"), line(endpoint=""))
    names = {name for endpoints in tally.targets.values() for name in endpoints}
    assert "POST /graphql GetUser" in names
    assert len(names) == 2


def test_calls_of_mirrors_are_counted(line: Record, summary_of: Summarise) -> None:
    call = {"method": "POST", "url": "http://pay/x", "state": "answered", "differences": []}
    lines = [line(calls=[call, call]), line(calls=[{**call, "state": "blocked"}]), line()]
    summary = summary_of(*lines)
    assert dict(summary.calls) == {"answered": 2, "blocked": 1}
    assert calls_sentence(summary) == "The mirror's calls to other services: 2 answered, 1 blocked."
    assert calls_sentence(summary_of(line())) == ""
