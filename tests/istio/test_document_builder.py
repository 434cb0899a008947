from __future__ import annotations

from typing import Any

import pytest
import yaml
from yaml.events import DocumentStartEvent

from mirror_addon.istio.document_builder import Composed
from mirror_addon.istio.document_builder import DocumentBuilder
from mirror_addon.istio.limits import Refused

Problems = list[tuple[int, int, str]]


def build(text: str, first_line: int = 0, budget: int = 1000) -> tuple[Composed, DocumentBuilder, Problems]:
    get_event = yaml.SafeLoader(text).get_event
    while get_event().__class__ is not DocumentStartEvent:
        pass
    problems: Problems = []
    builder = DocumentBuilder("f", first_line, budget, problems)
    return builder.build(get_event), builder, problems


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("a", 1),
        ("[a, b]", 3),
        ("{a: 1, b: 2}", 5),
        ("[&x [a, b], *x]", 7),
        ("[&x {a: 1}, *x]", 7),
        ("{&k a: 1, b: *k }", 5),
    ],
)
def test_the_size_counts_keys_and_what_aliases_stand_for(text: str, size: int) -> None:
    assert build(text)[1].size == size


@pytest.mark.parametrize("text", ["[a, b, c]", "[&x [a], *x]", "[[[[a]]]]"])
def test_the_budget(text: str) -> None:
    size = build(text)[1].size
    build(text, budget=size)
    with pytest.raises(Refused, match="nodes"):
        build(text, budget=size - 1)


def test_lines_are_counted_from_the_first() -> None:
    composed, _, problems = build("a: 1\nb:\n  c: 2\na: 3\n", first_line=10)
    assert composed.document.locate(("b", "c")) == (13, 6)
    assert composed.document.locate(("b",)) == (12, 1), "a block collection is located at its key"
    assert problems == [(14, 1, "the key 'a' is repeated; it stands first in line 11, column 1")]


def test_an_empty_value_is_located_at_its_key() -> None:
    document = build("a:\nb: ''\n")[0].document
    assert (document.locate(("a",)), document.locate(("b",))) == ((1, 1), (2, 4))


@pytest.mark.parametrize(
    ("text", "value", "message"),
    [
        ("a: !!int x", {"a": "x"}, "'x' is not of type int"),
        ("{[a]: b}", None, "a list or mapping cannot be a key"),
        ("[&x [a], {*x : b}]", [["a"], {"": "b"}], "a list or mapping cannot be a key"),
        ("[&x ~, {*x : b}]", [None, {"": "b"}], "null cannot be a key"),
        ("[*x]", [None], "the alias *x has no anchor above it"),
        ("&x [*x]", [None], "the alias *x is used inside the node that it refers to"),
        ("<<: [{a: 1}, b]", {}, "<< takes a mapping or a list of mappings"),
        ("{<<: {a: 1}, a: 2, a: 3}", {"a": 3}, "the key 'a' is repeated"),
        ("{x: {b: [1, 2]}, z: 1, z: 2}", {"x": {"b": [1, 2]}, "z": 2}, "it stands first in line 1, column 18"),
    ],
)
def test_problems(text: str, value: Any, message: str) -> None:
    composed, _, problems = build(text)
    assert value is None or composed.value == value
    assert message in problems[0][2]


def test_an_anchor_on_each_kind_of_node() -> None:
    text = "{&k a: &s 1, b: &l [x], c: &m {d: e}, f: [*k, *s, *l, *m]}"
    assert build(text)[0].value["f"] == ["a", 1, ["x"], {"d": "e"}]


def test_own_keys_replace_merged_ones() -> None:
    assert build("{<<: [{a: 1, b: 1}, {b: 2, c: 2}], c: 3}")[0].value == {"a": 1, "b": 1, "c": 3}
