"""What the twin (`mirror_twin`) knows of a pair: which values of the mirror stand for which of the primary."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

ANYWHERE = ""
"""In place of a path: a value that no other value equals by chance."""


class Foreign(NamedTuple):
    """A place where the mirror has the primary's id although it has one of its own."""

    path: str
    where: str
    value: str | int
    own: str


class TwinValues(NamedTuple):
    """`same`: path, the primary's text and the mirror's of values that name the same thing. `foreign`: see above."""

    same: frozenset[tuple[str, str, str]] = frozenset()
    foreign: tuple[Foreign, ...] = ()

    def are_same(self, path: str, primary: object, shadow: object) -> bool:
        """Whether two values at a path are one thing, under the two names that it has on either side."""
        if isinstance(primary, bool) or not (isinstance(primary, str | int) and isinstance(shadow, str | int)):
            return False
        one, other = str(primary), str(shadow)
        return (path, one, other) in self.same or (ANYWHERE, one, other) in self.same


class Translation(NamedTuple):
    """A value of a shadow that was replaced by the mirror's own."""

    where: str
    """In the request: `path[1]`, `query:id`, `$.order_id`, `form:csrf`, `cookie:sid`, `header:authorization`."""
    primary: str
    shadow: str
    source: str
    """Id of the pair from which it was learned."""


def twin_rows(translations: Iterable[Translation]) -> list[dict[str, str]]:
    """What was translated, as a line of the record has it: one object each."""
    return [
        {"where": each.where, "primary": each.primary, "shadow": each.shadow, "from": each.source}
        for each in translations
    ]


PRIMARY_ID = "primary_id"
"""The kind of a difference that says: the mirror responded with the primary's id, where it should have its own."""
