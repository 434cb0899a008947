from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.twin.json_spots import below
from mirror_addon.twin.json_spots import json_spots
from mirror_addon.twin.json_spots import names_something
from mirror_addon.twin.json_spots import read_document
from mirror_addon.twin.json_spots import replaced
from mirror_addon.twin.json_spots import scalar_keys

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def keys_of(path: str, name: str, text: str, kind: str) -> Any:
    return scalar_keys(path, name, text, "order", kind)


def test_only_places_that_name_something() -> None:
    document = {
        "order_id": 7,
        "quantity": 7,
        "items": [{"id": "7", "n": 7}],
        "x": {"type": "carts", "id": 7},
        "no": True,
    }
    spots = {each.path: each.keys for each in json_spots(document, keys_of, lambda text: text == "7")}
    assert spots == {
        "$.order_id": (("id", "order", "7"),),
        "$.items[*].id": (("id", "item", "7"),),
        "$.x.id": (("id", "order", "7"), ("id", "cart", "7")),
    }
    assert not list(json_spots(document, keys_of, lambda text: text == "8"))


def test_every_other_byte_is_kept() -> None:
    body = b'\xef\xbb\xbf{ "a" : [ 1.0 , {"b\\u0063": 7}], "c":"x\\"y" }\n'
    changed = replaced(body, {("a", 1, "bc"): "8", ("c",): '"z"'})
    assert changed == b'{ "a" : [ 1.0 , {"b\\u0063": 8}], "c":"z" }\n'
    assert replaced(b"7", {(): "8"}) == b"8"


@given(DOCUMENTS, st.data())
def test_a_replaced_value_is_read_at_its_place(document: Any, data: st.DataObject) -> None:
    body = json.dumps(document, indent=data.draw(st.sampled_from([None, 1])), ensure_ascii=data.draw(st.booleans()))
    places = list(_places(document))
    assert replaced(body.encode("utf-8", "surrogatepass"), {}) == body.encode("utf-8", "surrogatepass")
    if places:
        steps = data.draw(st.sampled_from(places))
        changed = json.loads(replaced(body.encode(), {steps: '"new"'}))
        assert _at(changed, steps) == "new"
        for other in places:
            if other != steps:
                assert _at(changed, other) == _at(document, other)


def _places(value: Any, steps: tuple[str | int, ...] = ()) -> Any:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _places(item, (*steps, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, (*steps, index))
    else:
        yield steps


def _at(value: Any, steps: tuple[str | int, ...]) -> Any:
    for step in steps:
        value = value[step]
    return value


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b"\xff"])
def test_what_is_no_document(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_document(body)


def test_what_a_value_stands_below() -> None:
    document = {"id": 7, "items": [{"id": 1}, {"id": 2, "parts": [{"id": 3}]}]}
    spots = {each.text: each.scope for each in json_spots(document, keys_of, lambda text: True, "order", "user:9")}
    assert spots == {"7": "user:9", "1": "order:7", "2": "order:7", "3": "item:2"}
    assert below({"id": 7}, "$", "order", "", "") == "order:7"
    assert below({"id": {}}, "$", "order", "", "user:9") == "user:9"


def test_names_that_say_nothing() -> None:
    assert names_something("order_id", "7") and names_something("csrf", "7")
    assert names_something("x", "0b5f0a52-7c7c-4c5e-9f0a-1f2e3d4c5b6a")
    assert not names_something("quantity", "7") and not names_something("page", "7")
