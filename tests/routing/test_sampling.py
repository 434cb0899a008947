from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.istio.mirror_annotations import SampleBy
from mirror_addon.istio.resources.messages import Percent
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fractions import ALWAYS
from mirror_addon.routing.fractions import NEVER
from mirror_addon.routing.fractions import from_integer
from mirror_addon.routing.fractions import from_percent
from mirror_addon.routing.sampling import Sampler
from mirror_addon.routing.sampling import holds
from mirror_addon.routing.sampling import words

Ask = Callable[..., Request]
NUMBERS = st.integers(0, 2**64 - 1)
SHARES = st.floats(0, 100)


def sampler(kind: str, name: str = "", seed: bytes = b"seed") -> Sampler:
    return Sampler(SampleBy(kind, name), seed)


@pytest.mark.parametrize(
    ("by", "path", "headers"),
    [
        (("header", "X-User"), "/", (("x-user", "alice"),)),
        (("header", "x-user"), "/", (("X-User", "alice"), ("X-User", "bob"))),
        (("cookie", "sid"), "/", (("Cookie", 'theme=dark; sid="alice"'),)),
        (("cookie", "sid"), "/", (("Cookie", "theme=dark"), ("cookie", "sid=alice"))),
        (("query", "id"), "/?x=1&id=alice&id=bob", ()),
    ],
)
def test_it_is_the_value_that_counts_and_not_where_it_stands(
    by: tuple[str, str], path: str, headers: Any, ask: Ask
) -> None:
    number = sampler(*by).number(ask(path, "example.com", *headers))
    assert number == sampler("header", "other").number(ask("/elsewhere", "other.test", ("other", "alice")))
    assert number != sampler("header", "other").number(ask("/", "example.com", ("other", "bob")))


def test_numbers_stay_the_same_for_ever(ask: Ask) -> None:
    """A user's number stays the same after a restart and in other versions."""
    request = ask("/", "example.com", ("x-user", "alice"), client=b"192.0.2.7")
    assert sampler("header", "x-user", b"mirror-addon").number(request) == 8547284478764755533
    assert sampler("source", seed=b"mirror-addon").number(request) == 1407224040588357340


def test_another_seed_chooses_others(ask: Ask) -> None:
    users = [ask("/", "example.com", ("x-user", str(number))) for number in range(64)]
    half = from_integer(50)
    first, second = (
        {
            user
            for user, request in enumerate(users)
            if holds(half, sampler("header", "x-user", seed).number(request) or 0)
        }
        for seed in (b"", b"s" * 1000)
    )
    assert first != second
    assert 16 < len(first) < 48


@pytest.mark.parametrize(
    ("by", "path", "headers"),
    [
        (("header", "x-user"), "/", ()),
        (("header", "x-user"), "/", (("x-user", ""),)),
        (("cookie", "sid"), "/", (("cookie", "sidd=1; sid"),)),
        (("query", "id"), "/?idx=1#id=2", ()),
        (("source", ""), "/", ()),
    ],
)
def test_a_request_without_a_user(by: tuple[str, str], path: str, headers: Any, ask: Ask) -> None:
    assert sampler(*by).number(ask(path, "example.com", *headers)) is None


@given(NUMBERS, SHARES, SHARES)
def test_whoever_is_in_stays_in_when_the_share_grows(number: int, one: float, other: float) -> None:
    smaller, greater = sorted((one, other))
    for less in (from_percent(Percent(value=smaller)), from_integer(int(smaller))):
        for more in (from_percent(Percent(value=greater)), from_integer(int(greater) + 1)):
            if less.numerator * more.denominator <= more.numerator * less.denominator and holds(less, number):
                assert holds(more, number)


@given(NUMBERS)
def test_all_and_none(number: int) -> None:
    assert holds(ALWAYS, number) and not holds(NEVER, number)


def test_the_share_is_kept(ask: Ask) -> None:
    tenth = from_percent(Percent(value=10))
    by = sampler("query", "id")
    chosen = sum(holds(tenth, by.number(ask(f"/?id={user}")) or 0) for user in range(5000))
    assert 400 < chosen < 600


def test_words() -> None:
    assert words(from_integer(50), 2**62, SampleBy("header", "x-user")) == "by header:x-user: 25.000000 % < 50 %"
    assert words(from_integer(5), 2**63, SampleBy("source")) == "by source: 50.000000 % >= 5 %"
