"""Pair the elements of two lists.

Theory of operation. An element that was inserted, removed or changed must not make all that follow it differ. `align`
works in four steps, each on what the step before left over:

1. Equal elements at both ends of the lists are skipped. Most lists differ in few elements, so little is left.
2. Elements are recognised by names (`_recognised`), wherever they are: a name is any hashable value, such as an
   element's id or its fingerprint. The caller orders the kinds of names from the exact to the vague one. Equal names
   are paired in order of position, so n elements of one name take n steps and not n squared.
3. Some of these pairs keep the order of both lists, others cross them: those moved. A longest increasing subsequence
   (`_longest_increasing`) takes as many pairs as possible as anchors, as patience diff does. If pairs are left, the
   order differs.
4. Elements that have no counterpart yet are paired within the gaps between anchors (`_Gaps`): by position if a gap has
   equally many on both sides, else each one of the shorter side with the one most like it, in order.

Steps 1 to 3 take n log n time. Step 4 compares every element of a gap with every other one, so its size is limited.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections import deque
from collections.abc import Callable
from collections.abc import Hashable
from collections.abc import Iterable
from collections.abc import Sequence
from typing import NamedTuple
from typing import TypeVar

T = TypeVar("T")
Name = Callable[[T], Hashable]
"""Returns what an element is recognised by, or None if it has no such thing."""

MAX_ALIGNED = 100_000
"""Longer lists are paired by position."""
_MAX_SIMILAR = 2500
"""The most pairs of a gap for which the similarity is computed; the elements of larger gaps are paired by position."""


class Alignment(NamedTuple):
    """Pairs of indices, in order of the first list; indices of elements in one list only; whether the order differs."""

    pairs: list[tuple[int, int]]
    missing: list[int]
    extra: list[int]
    moved: bool


def align(
    primary: Sequence[T],
    shadow: Sequence[T],
    same: Callable[[T, T], bool],
    names: Callable[[Sequence[T], Sequence[T]], Iterable[Name[T]]],
    similarity: Callable[[T, T], float],
) -> Alignment:
    """Align two lists. The result leaves out equal elements at both ends of the lists.

    `names`: takes what is left of both lists after that and returns the ways to recognise elements, in the order in
    which they are to be tried. `similarity`: how alike two elements are, a higher number for more.
    """
    start = 0
    shorter = min(len(primary), len(shadow))
    while start < shorter and same(primary[start], shadow[start]):
        start += 1
    end = 0
    while end < shorter - start and same(primary[-1 - end], shadow[-1 - end]):
        end += 1
    left, other_left = list(range(start, len(primary) - end)), list(range(start, len(shadow) - end))
    if not left or not other_left or max(len(left), len(other_left)) > MAX_ALIGNED or len(left) == len(other_left) == 1:
        common = min(len(left), len(other_left))
        return Alignment(list(zip(left, other_left, strict=False)), left[common:], other_left[common:], False)
    pairs: list[tuple[int, int]] = []
    for name in names([primary[i] for i in left], [shadow[j] for j in other_left]):
        found = _recognised(primary, shadow, left, other_left, name)
        if found:
            pairs += found
            taken, other_taken = {i for i, _ in found}, {j for _, j in found}
            left = [i for i in left if i not in taken]
            other_left = [j for j in other_left if j not in other_taken]
        if not left or not other_left:
            break
    pairs.sort()
    fixed = _longest_increasing([j for _, j in pairs])
    anchors = [pairs[position] for position in fixed]
    gaps = _Gaps(anchors, primary, shadow, similarity)
    more, missing, extra = gaps.fill(left, other_left)
    return Alignment(sorted(pairs + more), missing, extra, len(fixed) < len(pairs))


def _recognised(
    primary: Sequence[T], shadow: Sequence[T], left: list[int], other_left: list[int], name: Name[T]
) -> list[tuple[int, int]]:
    """Pairs of elements with the same name, of several the first with the first."""
    by_name: dict[Hashable, deque[int]] = defaultdict(deque)
    for j in other_left:
        if (its_name := name(shadow[j])) is not None:
            by_name[its_name].append(j)
    found = []
    for i in left:
        its_name = name(primary[i])
        if its_name is not None and (unpaired := by_name.get(its_name)):
            found.append((i, unpaired.popleft()))
    return found


def _longest_increasing(numbers: list[int]) -> list[int]:
    """Positions of a longest increasing subsequence, by patience sorting.

    `tails[n]` is the smallest number that ends an increasing subsequence of length n + 1, `at[n]` its position, and
    `before` the position of the predecessor of each number.
    """
    tails: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for position, number in enumerate(numbers):
        length = bisect_left(tails, number)
        before.append(at[length - 1] if length else -1)
        if length == len(tails):
            tails.append(number)
            at.append(position)
        else:
            tails[length] = number
            at[length] = position
    found = []
    position = at[-1] if at else -1
    while position >= 0:
        found.append(position)
        position = before[position]
    return found[::-1]


class _Gaps:
    """Pairs the elements that were not recognised, within the gaps between anchors."""

    def __init__(
        self,
        anchors: list[tuple[int, int]],
        primary: Sequence[T],
        shadow: Sequence[T],
        similarity: Callable[[T, T], float],
    ) -> None:
        self._anchors = [i for i, _ in anchors]
        self._other_anchors = [j for _, j in anchors]
        self._alike: Callable[[int, int], float] = lambda i, j: similarity(primary[i], shadow[j])

    def fill(self, left: list[int], other_left: list[int]) -> tuple[list[tuple[int, int]], list[int], list[int]]:
        """Return pairs, and the elements of either list that have no counterpart."""
        gaps: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for i in left:
            gaps[bisect_left(self._anchors, i)][0].append(i)
        for j in other_left:
            gaps[bisect_left(self._other_anchors, j)][1].append(j)
        pairs: list[tuple[int, int]] = []
        for some, others in gaps.values():
            pairs += self._pairs(some, others)
        taken, other_taken = {i for i, _ in pairs}, {j for _, j in pairs}
        return pairs, [i for i in left if i not in taken], [j for j in other_left if j not in other_taken]

    def _pairs(self, some: list[int], others: list[int]) -> list[tuple[int, int]]:
        if len(some) == len(others) or not 0 < len(some) * len(others) <= _MAX_SIMILAR:
            return list(zip(some, others, strict=False))
        turned = len(some) > len(others)
        few, many = (others, some) if turned else (some, others)
        chosen = self._most_alike(few, many, turned)
        return [(b, a) if turned else (a, b) for a, b in chosen]

    def _most_alike(self, few: list[int], many: list[int], turned: bool) -> list[tuple[int, int]]:
        """Pair each of the few with one of the many, in order, with the highest total similarity.

        Dynamic programming over the few: `best[n]` is the highest total so far if n of the many were passed over, and
        `steps` has, for each of the few and each n, how many were passed over before it.
        """
        slack = len(many) - len(few)
        best = [0.0] * (slack + 1)
        steps: list[list[int]] = []
        for row, a in enumerate(few):
            scores, step = [], []
            for passed in range(slack + 1):
                alike = self._alike(many[row + passed], a) if turned else self._alike(a, many[row + passed])
                from_before = max(range(passed + 1), key=lambda before: best[before]) if passed else 0
                scores.append(best[from_before] + alike)
                step.append(from_before)
            best = scores
            steps.append(step)
        passed = max(range(slack + 1), key=lambda each: best[each])
        chosen = []
        for row in range(len(few) - 1, -1, -1):
            chosen.append((few[row], many[row + passed]))
            passed = steps[row][passed]
        return chosen[::-1]
