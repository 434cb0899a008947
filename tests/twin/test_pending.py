from __future__ import annotations

from mirror_addon.twin.pending import Lost
from mirror_addon.twin.pending import Pending
from mirror_addon.twin.texts import Texts

ORDER = ("id", "order", "7")
ITEM = ("id", "item", "1")
COOKIE = ("cookie", "sid", "p")


def waits(
    pending: Pending, key: tuple[str, str, str], scope: str | None = None, before: int = 9, known: bool = False
) -> set[int]:
    return pending.waits_for((key,), scope, None, before, known=known)


def test_a_value_is_on_its_way_until_its_pair_ends() -> None:
    texts = Texts()
    pending = Pending(texts)
    pending.add(3, [(ORDER, ""), (ORDER, ""), (COOKIE, "c")], makes=False)
    pending.add(5, [(ORDER, "")], makes=True)
    assert waits(pending, ORDER) == {3, 5}
    assert waits(pending, ORDER, before=5) == {3}, "no one waits for a later one"
    assert waits(pending, ORDER, known=True) == {5}, "it makes a new one"
    assert waits(pending, COOKIE, "any") == {3}
    assert pending.end(3) == [(ORDER, ""), (COOKIE, "c")]
    assert pending.end(3) == []
    assert waits(pending, ORDER) == {5}
    pending.end(5)
    assert not len(pending) and not len(texts) and waits(pending, ORDER) == set()


def test_items_of_another_order_are_not_waited_for() -> None:
    pending = Pending(Texts())
    pending.add(1, [(ITEM, "order:7")], makes=True)
    assert waits(pending, ITEM, "order:7") == {1}
    assert waits(pending, ITEM, "order:8") == set()
    assert waits(pending, ITEM, None) == {1}


def test_it_is_bounded() -> None:
    pending = Pending(Texts(), 2)
    pending.add(1, [(("id", "order", str(number)), "") for number in range(5)], makes=True)
    assert len(pending) == 2


def test_the_newest_lost_values() -> None:
    texts = Texts()
    lost = Lost(texts, 2)
    for number in "1123":
        lost.add(("id", "order", number))
    assert (lost.has([("id", "order", "1")]), lost.has([("id", "order", "3")]), len(lost)) == (False, True, 2)
    lost.discard(("id", "order", "3"))
    lost.discard(("id", "order", "3"))
    assert not texts.has("3") and texts.has("2")
