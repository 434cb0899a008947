"""The causes of the demo's differences: what differs in the same way in several requests is one finding."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping

from mirror_addon.demo.differences import Difference

_INDEX = re.compile(r"\[\d+\]")


def findings(pairs: Iterable[Iterable[Difference]]) -> Mapping[tuple[str, str], int]:
    """Return in how many pairs each cause was seen, by path with its indices generalised and kind; most pairs first.

    `pairs` are the differences of each pair of responses.
    """
    seen: Counter[tuple[str, str]] = Counter()
    for differences in pairs:
        seen.update({(_INDEX.sub("[*]", each.path), each.kind) for each in differences})
    return dict(seen.most_common())
