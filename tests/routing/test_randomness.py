from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.routing.randomness import derived

NUMBERS = st.integers(0, 2**64 - 1)


@given(draw=NUMBERS, purpose=NUMBERS)
def test_derived_numbers_have_64_bits_and_are_fixed(draw: int, purpose: int) -> None:
    assert 0 <= derived(draw, purpose) < 2**64
    assert derived(draw, purpose) == derived(draw, purpose)


def test_derived_numbers_are_spread_whatever_the_draw_is() -> None:
    for step in (1, 100, 1_000_000, 2**32):
        found = Counter(derived(number * step, 7) % 10 for number in range(5000))
        assert all(400 < count < 600 for count in found.values())
