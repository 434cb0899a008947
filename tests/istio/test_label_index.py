from __future__ import annotations

import pytest

from mirror_addon.istio.label_index import LabelIndex
from mirror_addon.istio.label_index import selects

ONE, TWO, THREE = {"app": "a", "v": "1"}, {"app": "a"}, {"app": "b"}


@pytest.fixture
def index() -> LabelIndex:
    index = LabelIndex()
    for namespace, labels in (("x", ONE), ("x", TWO), ("y", THREE)):
        index.add(namespace, labels)
    return index


@pytest.mark.parametrize(
    ("selector", "namespace", "found"),
    [
        ({"app": "a"}, "x", (ONE, TWO)),
        ({"v": "1", "app": "a"}, "x", (ONE,)),
        ({"app": "b"}, "x", ()),
        ({}, "x", (ONE, TWO)),
        ({}, "z", ()),
    ],
)
def test_select(index: LabelIndex, selector: dict[str, str], namespace: str, found: tuple[dict[str, str], ...]) -> None:
    assert index.select(selector, namespace) == index.select(selector, namespace) == found


def test_what_is_added_later_is_selected_too(index: LabelIndex) -> None:
    assert index and not LabelIndex()
    assert index.select(THREE, "x") == ()
    index.add("x", THREE)
    assert index.select(THREE, "x") == (THREE,)


def test_everywhere(index: LabelIndex) -> None:
    assert index.everywhere({}) == [("x", ONE), ("x", TWO), ("y", THREE)]
    assert index.everywhere({"app": "b"}) == [("y", THREE)]


def test_a_selector_selects_what_has_all_its_labels() -> None:
    assert selects({}, {})
    assert selects({"a": "b"}, {"a": "b", "c": "d"})
    assert not selects({"a": "b"}, {"a": "c"})
