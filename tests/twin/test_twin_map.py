from __future__ import annotations

from mirror_addon.twin import twin_map
from mirror_addon.twin.texts import Texts
from mirror_addon.twin.twin_map import Entry
from mirror_addon.twin.twin_map import TwinMap

ORDER = ("id", "order", "7")
ITEM = ("id", "item", "1")
COOKIE = ("cookie", "sid", "p")


def value(known: TwinMap, key: tuple[str, str, str], scope: str | None = "", client: str | None = "c") -> str | None:
    found = known.find((key,), scope, client)
    return None if found is None else found[2].value


def test_the_newest_entry_counts() -> None:
    known = TwinMap(Texts())
    known.learn(ORDER, "", Entry("8", "p1"))
    known.learn(ORDER, "", Entry("9", "p2"))
    assert (value(known, ORDER), len(known)) == ("9", 1)
    assert known.has_own("9") and not known.has_own("8")
    assert [each[0] for each in known.primaries("9")] == ["7"] and not list(known.primaries("8"))
    assert known.is_own(("id", "order", "9")) and not known.is_own(("id", "order", "8"))
    known.forget(ORDER, "")
    known.forget(ORDER, "")
    assert value(known, ORDER) is None and not known.texts.has("7") and ORDER not in known


def test_items_that_are_counted_in_each_order() -> None:
    known = TwinMap(Texts())
    known.learn(ITEM, "order:7", Entry("11", "p1"))
    known.learn(ITEM, "order:8", Entry("21", "p2"))
    assert value(known, ITEM, "order:7") == "11"
    assert value(known, ITEM, "order:8") == "21"
    assert value(known, ITEM, "order:9") is None
    assert value(known, ITEM, None) is None, "two answers are none"
    known.learn(ITEM, "order:8", Entry("11", "p3"))
    assert value(known, ITEM, None) == "11"


def test_what_is_global_counts_below_something_too() -> None:
    known = TwinMap(Texts())
    known.learn(ORDER, "", Entry("8", "p1"))
    assert value(known, ORDER, "user:1") == "8"


def test_private_values_by_client() -> None:
    known = TwinMap(Texts())
    known.learn(COOKIE, "a", Entry("m1", "p1"))
    assert value(known, COOKIE, None, "b") == "m1", "there is only one"
    known.learn(COOKIE, "b", Entry("m2", "p2"))
    assert value(known, COOKIE, None, "a") == "m1"
    assert value(known, COOKIE, None, "b") == "m2"
    assert value(known, COOKIE, None, None) is None
    assert set(known.clients(COOKIE)) == {"a", "b"}


def test_the_oldest_is_forgotten_first() -> None:
    known = TwinMap(Texts(), 2)
    for number in range(3):
        known.learn(("id", "order", str(number)), "", Entry("m", "p"))
    assert [known.texts.has(str(number)) for number in range(3)] == [False, True, True]
    value(known, ("id", "order", "1"))
    known.learn(("id", "order", "3"), "", Entry("m", "p"))
    assert known.texts.has("1") and not known.texts.has("2")


def test_long_values_count_by_their_length() -> None:
    known = TwinMap(Texts())
    long = "x" * (twin_map.MAX_CHARACTERS // 2)
    known.learn(ORDER, "", Entry(long, "p"))
    known.learn(ITEM, "", Entry(long, "p"))
    assert len(known) == 1
