from __future__ import annotations

import random
from typing import Any
from urllib.parse import quote

import pytest
from bench.twin_sessions import Answered
from bench.twin_sessions import Browser
from bench.twin_sessions import Send
from bench.twin_sessions import session
from bench.twin_shop import V1
from bench.twin_shop import V2
from bench.twin_shop import V2_UUIDS
from bench.twin_shop import Shop
from bench.twin_shop import Style
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from twintools import World
from twintools import answer
from twintools import call

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import compare
from mirror_addon.twin.requests import Call
from mirror_addon.twin.twin import PairRequest


def order(world: World, primary: Any = 1007, shadow: Any = 2001, connection: str = "c") -> None:
    """An order that was made on both sides."""
    world.pair(
        call("POST", "/orders", {"quantity": 1007}),
        answer({"id": primary, "quantity": 1007}, status=201),
        answer({"id": shadow, "quantity": 1007}, status=201),
        connection,
    )


def test_an_order_and_numbers_that_look_alike() -> None:
    world = World()
    order(world)
    asked = call("PUT", "/orders/1007?page=1007&order_id=1007", {"id": 1007, "quantity": 1007, "product_id": 1007})
    pair = world.asked(asked)
    assert pair.sent.path == b"/orders/2001?page=1007&order_id=2001"
    assert pair.sent.body == b'{"id": 2001, "quantity": 1007, "product_id": 1007}'
    assert [(each.where, each.primary, each.shadow, each.source) for each in pair.translations] == [
        ("path[1]", "1007", "2001", "p1"),
        ("query:order_id", "1007", "2001", "p1"),
        ("$.id", "1007", "2001", "p1"),
    ]
    assert world.sent(call("GET", "/products/1007")).path == b"/products/1007"


def test_ids_that_are_one_another_s() -> None:
    world = World()
    order(world, 1007, 1008)
    order(world, 1008, 1009)
    assert [world.sent(call("GET", f"/orders/{each}")).path for each in (1007, 1008, 1009)] == [
        b"/orders/1008", b"/orders/1009", b"/orders/1009",
    ]  # fmt: skip


def test_numbers_for_uuids_and_texts_for_numbers() -> None:
    uuid = "0b5f0a52-7c7c-4c5e-9f0a-1f2e3d4c5b6a"
    world = World()
    order(world, 1007, uuid)
    assert world.sent(call("POST", "/x", {"order_id": 1007, "orderId": "1007"})).body == (
        b'{"order_id": "%b", "orderId": "%b"}' % (uuid.encode(), uuid.encode())
    )
    order(world, "A7", 12)
    assert world.sent(call("POST", "/x", {"order_id": "A7"})).body == b'{"order_id": 12}'


def test_a_call_of_the_mirror_itself() -> None:
    world = World()
    order(world)
    order(world, 1008, 1007)
    asked = call("POST", "/charges?order_id=2001", {"order_id": 2001, "amount": 2001, "previous_order_id": 1007})
    sent, translations, others = world.twin.as_primary(asked)
    assert sent.path == b"/charges?order_id=1007"
    assert sent.body == b'{"order_id": 1007, "amount": 2001, "previous_order_id": 1008}'
    assert [(each.where, each.primary, each.shadow) for each in translations] == [
        ("query:order_id", "1007", "2001"),
        ("$.previous_order_id", "1008", "1007"),
        ("$.order_id", "1007", "2001"),
    ]
    order(world, 1009, 2001)
    assert others == ()
    assert world.twin.as_primary(call("GET", "/orders/2001")).translations == (), "of which one?"
    assert World().twin.as_primary(asked) == (asked, (), ())


def test_private_values_of_two_clients() -> None:
    world = World()
    for client in "ab":
        fields = [(b"Set-Cookie", b"sid=same"), (b"Set-Cookie", b"sid=of-%b" % client.encode())]
        world.pair(call("POST", "/login"), answer({}, fields[0]), answer({}, fields[1]), client)

    def cookie(connection: str, *more: tuple[bytes, bytes]) -> bytes:
        return world.sent(call("GET", "/", None, (b"Cookie", b"sid=same"), *more), connection).headers[0][1]

    assert [cookie("a"), cookie("b"), cookie("other")] == [b"sid=of-a", b"sid=of-b", b"sid=same"]
    world.pair(call("GET", "/t"), answer({"token": "t1"}), answer({"token": "u1"}), "a")
    assert cookie("other", (b"Authorization", b"Bearer t1")) == b"sid=of-a", "the token says whose it is"


def test_a_cookie_that_the_mirror_renews() -> None:
    world = World()
    world.pair(call("POST", "/login"), answer({}, (b"Set-Cookie", b"sid=p")), answer({}, (b"Set-Cookie", b"sid=m1")))
    asked = call("GET", "/", None, (b"Cookie", b"sid=p"))
    world.pair(asked, answer({}), answer({}, (b"Set-Cookie", b"sid=m2")))
    assert world.sent(asked).headers == ((b"Cookie", b"sid=m2"),)


def test_what_was_only_seen_counts_from_the_second_pair_on() -> None:
    world = World()
    pairs = answer({"id": 5, "name": "pen"}), answer({"id": 9, "name": "pen"})
    _, values = world.pair(call("GET", "/products"), *pairs)
    assert not values.same
    sent, values = world.pair(call("GET", "/products/5"), *pairs)
    assert sent.path == b"/products/9"
    assert values.same == {("$.id", "5", "9")}


def test_seen_ids_that_are_equal_after_all() -> None:
    world = World()
    world.pair(call("GET", "/pen"), answer({"product_id": 5, "pen_id": 5}), answer({"product_id": 5, "pen_id": 9}))
    world.pair(call("GET", "/pen"), answer({"pen_id": 5}), answer({"pen_id": 5}))
    assert world.sent(call("GET", "/pens/5")).path == b"/pens/5"


def test_what_was_made_is_not_unlearned_by_what_is_seen() -> None:
    world = World()
    order(world)
    _, values = world.pair(call("GET", "/order"), answer({"id": 1007}), answer({"id": 3}))
    assert not values.are_same("$.id", 1007, 3)
    assert world.sent(call("GET", "/orders/1007")).path == b"/orders/2001"


def test_values_on_their_way() -> None:
    world = World()
    pair = world.asked(call("POST", "/orders", {}))
    world.twin.primary_named(pair, answer({"id": 1007}, (b"Set-Cookie", b"sid=p"), status=201))
    for asked in (call("GET", "/orders/1007"), call("GET", "/", None, (b"Cookie", b"sid=p"))):
        assert world.twin.read(asked, "c", 9).waits == {1}
        assert world.twin.read(asked, "c", 1).waits == set(), "it came before"
    assert world.twin.read(call("GET", "/orders/3"), "c", 9).waits == set()
    world.twin.learn(pair, answer({"id": 1007}, status=201), answer({"id": 2001}, status=201))
    reading = world.twin.read(call("GET", "/orders/1007"), "c", 9)
    assert (reading.waits, reading.translated()[0].path) == (set(), b"/orders/2001")


def test_a_new_one_in_the_place_of_one_that_is_known() -> None:
    world = World()
    order(world)
    pair = world.asked(call("POST", "/orders", {}))
    world.twin.primary_named(pair, answer({"id": 1007}, status=201))
    assert world.twin.read(call("GET", "/orders/1007"), "c", 9).waits == {pair.number}
    world.twin.failed(pair.number)
    assert world.sent(call("GET", "/orders/1007")).path == b"/orders/2001"


@pytest.mark.parametrize("shadow", [None, answer({"error": "no"}, status=500)])
def test_what_the_mirror_did_not_make_is_missing(shadow: Answer | None) -> None:
    world = World()
    pair = world.asked(call("POST", "/orders", {}))
    primary = answer({"id": 1007}, status=201)
    world.twin.primary_named(pair, primary)
    if shadow is None:
        world.twin.failed(pair.number)
    else:
        world.twin.learn(pair, primary, shadow)
    assert world.asked(call("GET", "/orders/1007")).missing
    assert not world.asked(call("GET", "/orders/1008")).missing
    order(world)
    assert not world.asked(call("GET", "/orders/1007")).missing


def test_values_that_would_end_a_field_are_not_learned() -> None:
    world = World()
    for value in ("a\r\nX: y", "a; b", "a,b", "", " a"):
        world.pair(call("POST", "/t", {}), answer({"token": "t1"}), answer({"token": value}))
    assert world.sent(call("GET", "/", None, (b"Authorization", b"Bearer t1"))).headers[0][1] == b"Bearer t1"


def test_a_long_body_is_forgotten_and_what_it_named_is_not() -> None:
    world = World()
    pair = world.asked(call("POST", "/x", {"order_id": 5, "text": "x" * 10_000}))
    pair.forget_long_body()
    assert not pair.call.body and pair.used([("id", "order", "5")])


class Mirror:
    """Two shops: one is asked by clients, the other by way of the twin. Shadows may be answered late."""

    def __init__(self, style: Style, late: random.Random) -> None:
        self.v1, self.v2 = Shop(V1), Shop(style)
        self.world = World()
        self.late = late
        self.waiting: list[tuple[Call, str, Answer, int]] = []
        self.wrong: list[object] = []

    def send_from(self, connection: str) -> Send:
        def send(method: str, target: str, headers: dict[str, str], body: bytes) -> Answered:
            lower = {name.lower(): value for name, value in headers.items()}
            status, fields, content = self.v1.respond(method, target, lower, body)
            raw = tuple((name.encode(), value.encode()) for name, value in headers.items())
            primary = answer(None, *((n.encode(), v.encode()) for n, v in fields), status=status, body=content)
            self.waiting.append((Call(method.encode(), target.encode(), raw, body), connection, primary, 0))
            while self.waiting and self.late.random() < 0.7:
                self.shadow()
            return Answered(status, {name.lower(): value for name, value in fields}, content)

        return send

    def shadow(self) -> None:
        """The oldest shadow is sent and answered: those after it wait."""
        asked, connection, primary, _ = self.waiting.pop(0)
        target = asked.path.decode()
        pair = self.world.asked(asked, connection, makes=asked.method != b"GET" and target != "/login")
        lower = {name.decode().lower(): value.decode() for name, value in pair.sent.headers}
        status, fields, content = self.v2.respond(
            asked.method.decode(), pair.sent.path.decode(), lower, pair.sent.body or b""
        )
        shadow = answer(None, *((n.encode(), v.encode()) for n, v in fields), status=status, body=content)
        values = self.world.twin.learn(pair, primary, shadow)
        found = compare(primary, shadow, method=asked.method.decode(), url=f"http://shop.test{target}", twin=values)
        first_catalogue = target == "/products" and primary.status == status
        if status != primary.status or (found.verdict == "different" and not first_catalogue):
            self.wrong.append((asked, pair.sent, found))


@settings(max_examples=12, deadline=None)
@given(
    style=st.sampled_from([V2, V2_UUIDS]),
    starts=st.tuples(*[st.sampled_from([1, 11, 300, 1003, 1007, 1008, 1009, 2001])] * 4),
    seed=st.integers(0, 10_000),
)
def test_sessions_in_which_all_numbers_collide(style: Style, starts: tuple[int, int, int, int], seed: int) -> None:
    orders, carts, users, items = starts
    mirror = Mirror(Style("v2", max(orders, 1007), carts, users, items, style.uuids), random.Random(seed))
    luck = random.Random(seed)
    for number in range(3):
        browser = Browser(mirror.send_from(f"c{number}"))
        session(browser, f"user-{number}", luck)
        assert not browser.refused
    while mirror.waiting:
        mirror.shadow()
    assert not mirror.wrong
    assert mirror.v1.contents() == mirror.v2.contents()


TEXTS = st.sampled_from(["7", "8", "a b", "\u00e97", "x-7"])


@settings(max_examples=80)
@given(TEXTS, TEXTS, TEXTS, st.integers(6, 9), st.booleans())
def test_values_looked_up_one_by_one_are_those_of_the_whole_request(
    one: str, two: str, three: str, number: int, form: bool
) -> None:
    target = f"/orders/{quote(one)}?user_id={quote(two)}"
    fields = (b"Cookie", b"sid=7; a=8"), (b"Referer", b"http://a/carts/9")
    asked = call("POST", target, {"item_id": three, "id": number}, *fields)
    if form:
        content = (b"Content-Type", b"application/x-www-form-urlencoded")
        asked = Call(b"POST", asked.path, (content, *fields), f"item_id={quote(three)}".encode())
    single, whole = (PairRequest(1, "p1", asked, "c") for _ in range(2))
    whole._read()
    spaces = [("id", each) for each in ("order", "user", "item", "cart", "")] + [("cookie", "sid"), ("cookie", "a")]
    for text in ("7", "8", "9", "a b", "\u00e97", "x-7", "5"):
        for kind, space in spaces:
            assert single.used([(kind, space, text)]) == whole.used([(kind, space, text)])
