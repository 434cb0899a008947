from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mirror_addon.istio.resources.messages import EMPTY_MAP
from mirror_addon.istio.resources.messages import Base64
from mirror_addon.istio.resources.messages import Duration
from mirror_addon.istio.resources.messages import Items
from mirror_addon.istio.resources.messages import Map
from mirror_addon.istio.resources.messages import Message
from mirror_addon.istio.resources.messages import PartialMessage
from mirror_addon.istio.resources.messages import Percent
from mirror_addon.istio.resources.messages import PortSelector
from mirror_addon.istio.resources.messages import UInt32
from mirror_addon.istio.resources.messages import parse_base64
from mirror_addon.istio.resources.messages import snake_case
from mirror_addon.istio.resources.messages import snake_case_names


class Example(Message):
    some_text: str = ""
    some_number: UInt32 = 0
    some_list: Items[PortSelector] = ()
    some_map: Map[Percent] = EMPTY_MAP
    some_time: Duration | None = None
    some_bytes: Base64 = b""


class Part(PartialMessage):
    some_text: str = ""


def test_both_spellings() -> None:
    assert Example.model_validate({"someText": "a"}) == Example.model_validate({"some_text": "a"})
    assert (snake_case("someText"), snake_case("name"), snake_case("other")) == ("some_text", "name", "other")
    assert snake_case_names(["some_text", "someText", "no_field", "name", 0, None]) == {"some_text"}


def test_null_lists_maps_and_items() -> None:
    read = Example.model_validate({"someList": None, "someMap": None})
    assert (read.some_list, read.some_map) == ((), {})
    read = Example.model_validate({"someList": [None], "someMap": {"a": None}})
    assert (read.some_list, read.some_map) == ((PortSelector(),), {"a": Percent()})


def test_maps_are_not_shared() -> None:
    assert Example().some_map is not Example().some_map


def test_durations_and_bytes() -> None:
    read = Example.model_validate({"someTime": "1m30s", "someBytes": "eA=="})
    assert (read.some_time, read.some_bytes) == (90.0, b"x")


@pytest.mark.parametrize(
    "value",
    [
        {"unknown": 1},
        {"someText": 1},
        {"someNumber": "1"},
        {"someNumber": -1},
        {"someNumber": 2**32},
        {"someList": {}},
        {"someMap": []},
        {"someTime": 5},
        {"someBytes": "?"},
    ],
)
def test_types_are_strict(value: Any) -> None:
    with pytest.raises(ValidationError):
        Example.model_validate(value)


def test_partial_messages_ignore_other_fields() -> None:
    assert Part.model_validate({"someText": "a", "other": 1}) == Part(some_text="a")


@pytest.mark.parametrize("value", ["?", "a", "eA==\n=", 5, None, b"eA=="])
def test_what_is_not_base64(value: object) -> None:
    with pytest.raises(ValueError, match="is not base64"):
        parse_base64(value)
