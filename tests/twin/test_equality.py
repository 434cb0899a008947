from __future__ import annotations

from twintools import World
from twintools import answer
from twintools import call


def made(world: World) -> None:
    world.pair(call("POST", "/orders"), answer({"id": 7}, status=201), answer({"id": 8}, status=201))


def test_where_each_side_has_its_own_id() -> None:
    world = World()
    made(world)
    primary = answer(
        {"id": 7, "quantity": 7, "note": "Order #7 of 7 items", "self": "/orders/7?limit=7"},
        (b"Location", b"/orders/7"),
    )
    shadow = answer({"id": 8})
    _, values = world.pair(call("GET", "/orders/7"), primary, shadow)
    assert values.same == {
        ("$.id", "7", "8"),
        ("$.note", "Order #7 of 7 items", "Order #8 of 7 items"),
        ("$.self", "/orders/7?limit=7", "/orders/8?limit=7"),
        ("header:location", "/orders/7", "/orders/8"),
    }
    assert values.are_same("$.id", 7, 8) and not values.are_same("$.quantity", 7, 8)


def test_the_primary_s_id_in_the_mirror_s_response() -> None:
    world = World()
    made(world)
    sent, values = world.pair(call("GET", "/orders/7"), answer({"id": 7}), answer({"id": 7}))
    assert sent.path == b"/orders/8"
    assert [(each.path, each.value, each.own) for each in values.foreign] == [("$.id", 7, "8")]
    _, values = world.pair(call("POST", "/orders/7/pay"), answer({"id": 7}), answer({"id": 7}))
    assert len(values.foreign) == 1


def test_an_id_that_the_mirror_gave_to_something_else_is_its_own() -> None:
    world = World()
    made(world)
    world.pair(call("POST", "/orders"), answer({"id": 5}, status=201), answer({"id": 7}, status=201))
    _, values = world.pair(call("GET", "/orders/7"), answer({"id": 7}), answer({"id": 7}))
    assert not values.foreign


def test_preferences_in_cookies_stay_differences() -> None:
    world = World()
    ours = (b"Set-Cookie", b"theme=dark"), (b"Set-Cookie", b"sid=p1")
    theirs = (b"Set-Cookie", b"theme=light"), (b"Set-Cookie", b"sid=m1")
    _, values = world.pair(call("GET", "/"), answer({}, *ours), answer({}, *theirs))
    assert values.same == {("header:set-cookie", "p1", "m1")}
    sent = world.sent(call("GET", "/", None, (b"Cookie", b"theme=dark; sid=p1")))
    assert sent.headers == ((b"Cookie", b"theme=light; sid=m1"),), "a client of the mirror would send what it was given"
