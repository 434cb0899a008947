from __future__ import annotations

import pytest

from mirror_addon.twin.urls import parent_scope
from mirror_addon.twin.urls import url_spots


def found(url: str, *known: str) -> list[tuple[str, str, str | None]]:
    spots = list(url_spots(url, lambda text: text in known))
    assert all(known and url[each.start : each.end] for each in spots)
    return [(each.where, each.keys[0][1], each.scope) for each in spots]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/orders/1007", [("path[1]", "order", "")]),
        (
            "http://shop.test:80/v1/orders/1007/items/1007#top",
            [("path[2]", "order", ""), ("path[4]", "item", "order:1007")],
        ),
        ("/orders/1007.json", [("path[1]", "order", "")]),
        ("/orders/1007:cancel", [("path[1]", "order", "")]),
        ("/page/1007", []),
        ("/1007", []),
        ("/orders?order_id=1007&quantity=1007&page=1007", [("query:order_id", "order", None)]),
        ("/orders?ids=3,1007", [("query:ids", "order", None)]),
        ("/orders?product_id[]=1007", [("query:product_id", "product", None)]),
        ("http://shop.test", []),
        ("/orders/10%307", [("path[1]", "order", "")]),
    ],
)
def test_where_a_value_stands(url: str, expected: list[tuple[str, str, str | None]]) -> None:
    assert found(url, "1007") == expected


def test_a_value_as_it_is_written() -> None:
    path, query = url_spots("/orders/7?order_id=7", lambda text: text == "7")
    assert path.written("a/b c") == "a%2Fb%20c"
    assert query.written("a&b c") == "a%26b+c"


@pytest.mark.parametrize(
    ("url", "scope"),
    [("/orders/7/items", "order:7"), ("/orders/7", ""), ("/users/3/orders/7/pay", "order:7"), ("/orders", "")],
)
def test_what_the_last_segment_stands_below(url: str, scope: str) -> None:
    assert parent_scope(url) == scope
