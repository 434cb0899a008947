"""Which thing an id is of."""

from __future__ import annotations

import pytest

from mirror_addon.compare.resources import made_by
from mirror_addon.compare.resources import resource_at
from mirror_addon.compare.resources import resource_of
from mirror_addon.compare.resources import singular


@pytest.mark.parametrize(
    ("path", "name", "resource"),
    [
        ("$.id", "id", "basket"),
        ("$.data.id", "id", "basket"),
        ("$[*].id", "id", "basket"),
        ("$.data.attributes['order id']", "order id", "order"),
        ("$.orderId", "orderId", "order"),
        ("$.order_id", "order_id", "order"),
        ("$.orderID", "orderID", "order"),
        ("$.orderIds[*]", "orderIds", "order"),
        ("$.parentId", "parentId", "basket"),
        ("$.orders[*].id", "id", "order"),
        ("$.data.createOrder.id", "id", "order"),
        ("$.data.createOrder.lines[*].id", "id", "line"),
        ("$._id", "_id", "basket"),
        ("/orders/order[*]/id/text()", "text()", "order"),
        ("/orders/order[*]/@id", "@id", "order"),
        ("header:x-order-id", "x-order-id", "order"),
        ("form:order_id", "order_id", "order"),
        ("$.orderNumber", "orderNumber", "order#"),
        # no ids
        ("$.number", "number", ""),
        ("$.count", "count", ""),
        ("$.orderCount", "orderCount", ""),
        ("$.paid", "paid", ""),
        ("$.identity", "identity", ""),
        ("/text()", "text()", ""),
        ("$", "", ""),
        ("text()", "text()", ""),
        ("$." + "a." * 200 + "id", "id", ""),
    ],
)
def test_resource_at(path: str, name: str, resource: str) -> None:
    assert resource_at(path, name, "basket") == resource


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/v1/orders", "order"),
        ("/users/{id}/orders", "order"),
        ("/orders/{id}", "order"),
        ("/orders/create", "order"),
        ("/orders.json?x=1", "order"),
        ("/order-lines", "orderline"),
        ("/", ""),
        ("/{id}", ""),
        ("orders", "order"),
    ],
)
def test_resource_of(path: str, resource: str) -> None:
    assert resource_of(path) == resource


def test_made_by() -> None:
    assert made_by("createOrderLines") == "orderline"
    assert made_by("addUser") == "user"
    assert made_by("address") == made_by("create") == made_by("updateOrder") == made_by("") == ""


@pytest.mark.parametrize(
    ("word", "one"),
    [("orders", "order"), ("categories", "category"), ("addresses", "address"), ("boxes", "box"), ("class", "class")],
)  # fmt: skip
def test_singular(word: str, one: str) -> None:
    assert singular(word) == one
