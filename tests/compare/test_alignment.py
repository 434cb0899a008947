"""Lists aligned."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.alignment import Alignment
from mirror_addon.compare.alignment import align

words = st.lists(st.sampled_from("abcdefgh"), max_size=12)


def aligned(one: list[str], other: list[str]) -> Alignment:
    return align(one, other, str.__eq__, lambda _a, _b: [lambda word: word], lambda a, b: float(a.lower() == b.lower()))


def test_inserted_removed_changed() -> None:
    assert aligned(list("abcd"), list("xabcd")) == Alignment([], [], [0], False)
    assert aligned(list("abcd"), list("acd")) == Alignment([], [1], [], False)
    assert aligned(list("abcd"), list("abxd")) == Alignment([(2, 2)], [], [], False)


def test_moved() -> None:
    found = aligned(list("abcd"), list("dabc"))
    assert (found.missing, found.extra, found.moved) == ([], [], True)


def test_the_most_alike_of_those_left_over() -> None:
    found = aligned(list("pabq"), list("pxyABq"))
    assert (found.pairs, found.missing, found.extra) == ([(1, 3), (2, 4)], [], [1, 2])
    turned = aligned(list("pxyABq"), list("pabq"))
    assert (turned.pairs, turned.missing, turned.extra) == ([(3, 1), (4, 2)], [1, 2], [])


@given(words, words)
def test_every_element_once(one: list[str], other: list[str]) -> None:
    found = aligned(one, other)
    there = [i for i, _ in found.pairs] + found.missing
    here = [j for _, j in found.pairs] + found.extra
    assert len(set(there)) == len(there)
    assert len(set(here)) == len(here)
    kept = Counter(one) - Counter(one[i] for i in there)
    assert kept == Counter(other) - Counter(other[j] for j in here)
    assert len(one) - len(there) == len(other) - len(here)


@given(words, words)
def test_equal_elements_are_never_left_over(one: list[str], other: list[str]) -> None:
    found = aligned(one, other)
    assert not {one[i] for i in found.missing} & {other[j] for j in found.extra}


@given(words)
def test_the_same_elements_are_only_moved(one: list[str]) -> None:
    found = aligned(one, one[::-1])
    assert not found.missing
    assert not found.extra
    assert all(one[i] == one[::-1][j] for i, j in found.pairs)
    assert found.moved == (one != one[::-1])
