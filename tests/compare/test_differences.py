"""The differences of one pair: merged by path and kind, with their reasons, and the verdict."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from mirror_addon.compare import differences as module
from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.differences import ControlNoise
from mirror_addon.compare.differences import Differences
from mirror_addon.compare.rules import Rules
from mirror_addon.compare.shapes import Shapes
from mirror_addon.compare.shapes import Sides

TIMES = ("2026-11-22T12:00:00Z", "2026-11-22T12:00:01Z")
UUIDS = ("0f4c8c1e-7a63-4d5e-9c65-1d6a7d3b9c11", "7e1c4a52-9f01-4b7c-8a34-0c5f6d7e8f90")


def at(text: str) -> Callable[[], str]:
    return lambda: text


def by_rules(text: str = "") -> Differences:
    return Differences(Rules.parse(text, "compare.yaml").rules, Shapes(Sides()), None)


def reasons(differences: Differences) -> list[tuple[str, str, str]]:
    return [(each.path, each.kind, each.noise) for each in differences.listed(99)[0]]


def test_none() -> None:
    differences = by_rules()
    assert (differences.verdict(), differences.listed(9)) == ("same", ((), 0))


def test_one_for_all_elements_with_the_first_place() -> None:
    differences = by_rules()
    items = differences.place("$").below("items")
    for index in (3, 4):
        differences.add(items.element(index), "value", index, -1, at(f"$.items[{index}]"))
    ((found,), more) = differences.listed(9)
    assert (found.path, found.primary, found.where, more) == ("$.items[*]", 3, "$.items[3]", 0)


def test_one_that_counts_beside_one_that_does_not() -> None:
    differences = by_rules()
    place = differences.place("$").below("a")
    differences.add(place, "value", *TIMES, at("$.a"))
    assert differences.verdict() == "noise"
    differences.add(place, "value", 1, 2, at("$.a"))
    differences.add(place, "value", *TIMES, at("$.a"))
    assert reasons(differences) == [("$.a", "value", ""), ("$.a", "value", "time")]
    assert differences.verdict() == "different"


def test_the_exact_place_is_computed_only_for_what_is_kept() -> None:
    differences = by_rules()
    place = differences.place("$").below("a")
    differences.add(place, "value", 1, 2, at("$.a"))

    def never() -> str:
        raise AssertionError

    differences.add(place, "value", 3, 4, never)


def test_those_that_count_are_listed_first() -> None:
    differences = by_rules()
    root = differences.place("$")
    differences.add(root.below("at"), "value", *TIMES, at("$.at"))
    differences.add(root.below("b"), "value", 1, 2, at("$.b"))
    listed, more = differences.listed(1)
    assert ([each.path for each in listed], more) == (["$.b"], 1)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_PATHS", 2)
    differences = by_rules()
    for name in "abcde":
        differences.add(differences.place("$").below(name), "value", *TIMES, at(f"$.{name}"))
    listed, more = differences.listed(9)
    assert ([each.path for each in listed], more) == (["$.a", "$.b"], 3)
    differences.add(differences.place("$").below("f"), "value", 1, 2, at("$.f"))
    assert differences.verdict() == "different"  # though it is not listed


def test_an_excerpt_is_shown_and_the_whole_is_judged() -> None:
    differences = by_rules("rules: [{path: body, regex: 'a+b'}]")
    differences.add(differences.place("body"), "value", "aab", "aaab", at("line 1"), excerpt=("…b", "…b"))
    ((found,), _) = differences.listed(9)
    assert (found.primary, found.noise) == ("…b", "regex")


@pytest.mark.parametrize(
    ("rule", "kind", "primary", "shadow", "reason"),
    [
        ("path: $.a, ignore: true", "type", 1, "x", "ignored"),
        ("path: $, ignore: true", "missing", 1, None, "ignored"),
        ("path: $, presence: true", "missing", 1, None, "presence"),
        ("path: $.a, presence: true", "value", 1, 2, "presence"),
        ("path: $.a, presence: true", "missing", 1, None, ""),
        ("path: $.a, presence: true", "type", None, 1, ""),
        ("path: $.a, unordered: true", "order", [1], [2], "unordered"),
        ("path: $.a, unordered: true", "length", 1, 2, ""),
        ("path: $.a, regex: 'x\\d'", "value", "x1", "x2", "regex"),
        ("path: $.a, regex: 'x\\d'", "value", "x1", "x", ""),
        ("path: $.a, regex: 'x\\d'", "missing", "x1", None, ""),
        ("path: $.a, tolerance: 1", "value", 1, 2, "tolerance"),
        ("path: $.a, tolerance: 1", "value", 1, 3, ""),
        ("path: $.b, ignore: true", "value", 1, 2, ""),
    ],
)
def test_rules(rule: str, kind: str, primary: object, shadow: object, reason: str) -> None:
    differences = by_rules(f"rules: [{{{rule}}}]")
    differences.add(differences.place("$").below("a"), kind, primary, shadow, at("$.a"))
    assert reasons(differences) == [("$.a", kind, reason)]
    assert differences.verdict() == ("noise" if reason else "different")


def test_the_rule_that_makes_a_list_unordered() -> None:
    differences = by_rules("rules: [{path: $.a, ignore: true}, {path: $.a, unordered: {key: id}}]")
    rule = differences.unordered(differences.place("$").below("a"))
    assert rule is not None and rule.key == "id"
    assert differences.unordered(differences.place("$").below("b")) is None


def test_differences_that_are_only_counted() -> None:
    differences = by_rules("rules: [{path: $.a, ignore: true}]")
    differences.beyond(differences.place("$").below("b"), 0)
    differences.beyond(differences.place("$").below("a"), 5)
    assert (differences.verdict(), differences.listed(9)) == ("same", ((), 5))
    differences.beyond(differences.place("$").below("b"), 2)
    assert (differences.verdict(), differences.listed(9)) == ("different", ((), 7))


def test_shapes_that_count() -> None:
    differences = Differences((), None, None)
    differences.add(differences.place("$").below("a"), "value", *TIMES, at("$.a"))
    assert differences.verdict() == "different"


def test_a_shape_that_the_caller_knows() -> None:
    differences = by_rules()
    differences.add(differences.place("header:etag"), "value", '"1"', '"2"', at(""), shape="etag")
    assert reasons(differences) == [("header:etag", "value", "etag")]


def test_an_id_counts_if_the_control_has_the_same() -> None:
    for ids, reason in (((), ""), ((("$.a", "value"),), "id")):
        control = ControlNoise(frozenset(), frozenset(ids))
        differences = Differences((), Shapes(Sides()), control)
        differences.add(differences.place("$").below("a"), "value", *UUIDS, at("$.a"))
        assert reasons(differences) == [("$.a", "value", reason)]


def test_the_noise_of_the_primary() -> None:
    own = by_rules()
    root = own.place("$")
    own.add(root.below("a"), "value", 1, 2, at("$.a"))
    own.add(root.below("at"), "value", *TIMES, at("$.at"))
    own.add(root.below("id"), "value", *UUIDS, at("$.id"))
    assert own.as_control() == (frozenset({("$.a", "value")}), frozenset({("$.id", "value")}), {}, {})


def parts(*kinds: str, keeps_places: bool = True, count: int = 2) -> ControlNoise:
    """What differs between the primary and the control in lines of a text."""
    own = Differences((), None, None, keeps_places=keeps_places)
    for number in range(count):
        own.add(own.place("body"), "value", "a", "b", at(f"line {number}"), fixed=True)
    for kind in kinds:
        own.add(own.place("body"), kind, "a", "b", at("line 7"))
    return own.as_control()


def test_a_part_that_stays_where_it_is_covers_no_other_part() -> None:
    control = parts()
    assert control.covers("body", "value", at("line 1")) and not control.covers("body", "value", at("line 2"))
    assert parts("missing").covers("body", "value", at("line 2"))  # then lines are not where they were
    assert parts(keeps_places=False).covers("body", "value", at("line 2"))
    assert parts(count=2000).covers("body", "value", at("line 5000"))  # too many to keep


def test_ids_of_parts() -> None:
    own = Differences((), Shapes(Sides()), None, keeps_places=True)
    own.add(own.place("body"), "value", *UUIDS, at("line 1"), fixed=True)
    control = own.as_control()
    assert control.has_id("body", "value", at("line 1")) and not control.has_id("body", "value", at("line 2"))


@pytest.mark.parametrize(
    ("control", "path", "kind", "covered"),
    [
        (("$.a", "value"), "$.a", "value", True),
        (("$.a", "type"), "$.a", "value", True),
        (("$.a", "value"), "$.a", "type", False),
        (("$.a", "value"), "$.b", "value", False),
        (("$.a", "value"), "$.a", "missing", False),
        (("$.a", "extra"), "$.a", "missing", True),
        (("$.a", "missing"), "$.a", "extra", True),
        (("$.a", "length"), "$.a", "length", True),
        (("$.a", "length"), "$.a[*]", "extra", True),
        (("$.a", "length"), "$.a[*]", "value", False),
        (("$.a", "length"), "$.a", "order", True),
        (("$.a[*]", "value"), "$.a", "order", True),
        (("$.a[*]", "value"), "$.a", "length", False),
    ],
)
def test_what_the_control_covers(control: tuple[str, str], path: str, kind: str, covered: bool) -> None:
    assert ControlNoise(frozenset({control})).covers(path, kind, at(path)) is covered


TRACED = {
    "data": {"x": 1},
    "extensions": {"tracing": {"duration": 5, "validation": {"startOffset": 1}}, "ftv1": "GgwI"},
}


def test_how_long_a_graphql_server_took_is_noise() -> None:
    def compared(**changes: object) -> list[tuple[str, str]]:
        bodies = [json.dumps(each).encode() for each in (TRACED, {**TRACED, **changes})]
        one, other = (Answer(200, ((b"content-type", b"application/json"),), body, len(body)) for body in bodies)
        return [(each.path, each.noise) for each in compare(one, other).differences]

    trace = {"duration": 9, "validation": {"startOffset": 2}}
    assert {noise for _, noise in compared(extensions={"tracing": trace, "ftv1": "GgwJ"})} == {"timing"}
    assert ("$.data.x", "") in compared(data={"x": 2})
    assert ("$.extensions.tracing.duration", "") in compared(extensions={"tracing": {**trace, "duration": "9"}})
    assert ("$.duration", "") in compared(duration=9)
