"""Which element of one list belongs to which of another.

An element that was put in, taken out or changed must not make all later ones differ. Equal elements find each other
first, wherever they stand; then those that call themselves the same; what is left over is paired by position between
the equal ones around it. Takes n log n time.
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
"""What an element is recognised by; None: by nothing."""

MAX_ALIGNED = 100_000
"""Longer lists are compared place by place."""
_MAX_SIMILAR = 2500
"""Pairs of left over elements that are tried for which are most alike."""


class Alignment(NamedTuple):
    """Pairs of places, in order of the first list; places that are in one list only; whether some changed order."""

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
    """Align two lists. Pairs of equal elements at both ends of the lists are left out.

    `names`: for what is left over of both lists, the ways to recognise elements, tried in turn, the exact one first.
    `similarity`: how alike two elements are, more for more.
    """
    start = 0
    shorter = min(len(primary), len(shadow))
    while start < shorter and same(primary[start], shadow[start]):
        start += 1
    end = 0
    while end < shorter - start and same(primary[-1 - end], shadow[-1 - end]):
        end += 1
    there, here = len(primary) - end, len(shadow) - end
    left, other_left = list(range(start, there)), list(range(start, here))
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
    places: dict[Hashable, deque[int]] = defaultdict(deque)
    for j in other_left:
        if (it := name(shadow[j])) is not None:
            places[it].append(j)
    found = []
    for i in left:
        it = name(primary[i])
        if it is not None and (waiting := places.get(it)):
            found.append((i, waiting.popleft()))
    return found


def _longest_increasing(numbers: list[int]) -> list[int]:
    """Positions of a longest rising subsequence."""
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
    """Pairs what is left over, between the anchors that it stands between."""

    def __init__(
        self,
        anchors: list[tuple[int, int]],
        primary: Sequence[T],
        shadow: Sequence[T],
        similarity: Callable[[T, T], float],
    ) -> None:
        self._there = [i for i, _ in anchors]
        self._here = [j for _, j in anchors]
        self._alike: Callable[[int, int], float] = lambda i, j: similarity(primary[i], shadow[j])

    def fill(self, left: list[int], other_left: list[int]) -> tuple[list[tuple[int, int]], list[int], list[int]]:
        gaps: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for i in left:
            gaps[bisect_left(self._there, i)][0].append(i)
        for j in other_left:
            gaps[bisect_left(self._here, j)][1].append(j)
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
        """Each of the few with another of the many, in order, as much alike together as can be."""
        slack = len(many) - len(few)
        best = [0.0] * (slack + 1)  # of the few before, by how many of the many were passed over
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
