from __future__ import annotations

import pytest

from mirror_addon.twin import names


@pytest.mark.parametrize(
    ("text", "wide"),
    [
        ("1007", False),
        ("123456789012345678", True),
        ("0b5f0a52-7c7c-4c5e-9f0a-1f2e3d4c5b6a", True),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", True),
        ("507f1f77bcf86cd799439011", True),
        ("v1-0a9d4c58b6d13c7e2b1f", True),
        ("summer-sale-2026-black", False),
        ("2026-12-01T12:00:00Z", False),
        ("20261201T120000Z", False),
        ("ORD-1007", False),
    ],
)
def test_which_values_no_other_equals_by_chance(text: str, wide: bool) -> None:
    assert names.is_wide(text) is wide


@pytest.mark.parametrize(
    ("path", "name", "keys"),
    [
        ("$.id", "id", [("id", "order", "7")]),
        ("$.order_id", "order_id", [("id", "order", "7")]),
        ("$.orderId", "orderId", [("id", "order", "7")]),
        ("$.items[*].id", "id", [("id", "item", "7")]),
        ("$.customer.uuid", "uuid", [("id", "customer", "7")]),
        ("$.order_ids[*]", "order_ids", [("id", "order", "7")]),
        ("$.order_number", "order_number", [("id", "order#", "7")]),
        ("$.quantity", "quantity", []),
        ("$.page", "page", []),
        ("$.order", "order", []),
        ("$.csrf_token", "csrf_token", [("token", "", "7")]),
    ],
)
def test_the_keys_of_a_field(path: str, name: str, keys: list[names.Key]) -> None:
    assert list(names.field_keys(path, name, "7", "order")) == keys


def test_a_wide_value_is_itself_whatever_its_name() -> None:
    text = "0b5f0a52-7c7c-4c5e-9f0a-1f2e3d4c5b6a"
    assert names.field_keys("$.anything", "anything", text, "") == (("id", "", text), ("token", "", text))
    assert names.field_keys("$.token", "token", text, "")[0] == ("token", "", text)
    assert names.field_keys("$.id", "id", "x" * 9000, "order") == ()


@pytest.mark.parametrize(
    ("before", "keys"),
    [
        ("orders", [("id", "order", "7"), ("id", "order#", "7")]),
        ("line-items", [("id", "lineitem", "7"), ("id", "lineitem#", "7")]),
        ("page", []),
        ("v2", []),
        ("1007", []),
        ("", []),
    ],
)
def test_the_keys_of_a_segment(before: str, keys: list[names.Key]) -> None:
    assert list(names.segment_keys(before, "7")) == keys


def test_what_an_endpoint_is_about() -> None:
    assert names.endpoint_resource("/v1/orders/7?x=1") == "order"
    assert names.endpoint_resource("/orders/ORD-7/items") == "item"
    assert names.endpoint_resource("/") == ""
    assert names.resources("$.id", "id", "checkout") == ("checkout", "order")


def test_what_a_verb_acts_on() -> None:
    assert names.acted_on("/orders/7/pay") == "order"
    assert names.acted_on("/orders/7/items") == ""
    assert names.acted_on("/orders/7") == ""
    assert names.acted_on("/pay") == ""


def test_what_an_object_says_that_it_is() -> None:
    assert names.type_resource({"type": "orders", "id": 1}) == "order"
    assert names.type_resource({"__typename": "LineItem"}) == "lineitem"
    assert names.type_resource({"type": 3}) == ""
