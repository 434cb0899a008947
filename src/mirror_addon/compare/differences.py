"""Collect the differences of a pair: one for each path and kind, with the reason if it is noise."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from mirror_addon.compare.causes import ids_of
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.echoes import Echo
from mirror_addon.compare.new_ids import PairIds
from mirror_addon.compare.path_rule import PathRule
from mirror_addon.compare.paths import PathError
from mirror_addon.compare.paths import Place
from mirror_addon.compare.paths import pattern
from mirror_addon.compare.paths import root_place
from mirror_addon.compare.shapes import Shapes
from mirror_addon.compare.twin_values import PRIMARY_ID
from mirror_addon.compare.twin_values import Foreign
from mirror_addon.compare.twin_values import TwinValues
from mirror_addon.compare.values import shown

_MAX_PATHS = 10_000
"""The most differences that are kept, by path, kind and noise. Further ones are only counted."""


Places = Mapping[tuple[str, str], frozenset[str]]
"""Exact places by path and kind of difference."""
_MAX_PLACES = 1000
"""Exact places that are kept of a path and kind of difference to the control. Where there are more, all are noise."""


class ControlNoise(NamedTuple):
    """How the primary differs from the control, as pairs of path and kind. `ids`: where the difference is an id.
    `fixed`, `fixed_ids`: the exact places of those whose path stands for many parts of a text or a tree that stay where
    they are."""

    found: frozenset[tuple[str, str]]
    ids: frozenset[tuple[str, str]] = frozenset()
    fixed: Places = {}
    fixed_ids: Places = {}

    def covers(self, path: str, kind: str, where: Callable[[], str]) -> bool:
        """Whether the primary differs from itself in this way. A value that varies does not cover a missing one.
        `where`: gives the exact place in the primary."""
        places = self.fixed.get((path, kind))
        if places is not None:
            return where() in places
        kinds = _COVERED.get(kind, (kind,))
        if any((path, each) in self.found for each in kinds):
            return True
        if kind in ("missing", "extra") and path.endswith("[*]"):
            # A list whose length varies has elements that are in one response only.
            return (path.removesuffix("[*]"), "length") in self.found
        # Elements whose values vary cannot be recognised in another order.
        return kind == "order" and (f"{path}[*]", "value") in self.found

    def has_id(self, path: str, kind: str, where: Callable[[], str]) -> bool:
        """Whether the primary and the control have different ids there."""
        places = self.fixed_ids.get((path, kind))
        return (path, kind) in self.ids if places is None else where() in places


_TRACE = re.compile(
    r"\$(?:\[\*\]|\.events\[\*\]\.data)?\.extensions\.(?:ftv1"
    r"|tracing\.(?:(?:parsing|validation|execution\.resolvers\[\*\])\.)?(?:duration|startOffset))"
)
"""Where a GraphQL server says how long it took (Apollo Tracing, Apollo's federated traces)."""
TWIN = "twin"
"""Why a difference does not count in which each side has its own name of one thing (`mirror_twin`)."""
ACCEPTED = "accepted"
"""Why a difference does not count whose finding a rule of `compare.yaml` accepts."""

_COVERED: dict[str, tuple[str, ...]] = {
    "value": ("value", "type"),
    "missing": ("missing", "extra"),
    "extra": ("missing", "extra"),
    "order": ("order", "length"),
}
"""By kind of difference: the kinds of difference to the control that make it noise."""


class Differences:
    """Collects the differences of one pair.

    `active`: the rules that apply to the request. `shapes`: finds known shapes; None if these are no noise. `control`:
    None without a control. `echo`: finds what the shadow repeats of its request; None if it repeats nothing. `ids`:
    knows which ids of the mirror stand for the primary's. `twin`: the same for what was translated. `notes`: what could
    not be compared, and why; comparing functions append to it. `keeps_places`: for `as_control`.
    """

    def __init__(
        self,
        active: tuple[PathRule, ...],
        shapes: Shapes | None,
        control: ControlNoise | None,
        echo: Echo | None = None,
        ids: PairIds | None = None,
        twin: TwinValues | None = None,
        *,
        keeps_places: bool = False,
    ) -> None:
        self._twin = twin
        self.notes: list[str] = []
        self._active = active
        self._patterns = tuple(each.pattern for each in active)
        self._shapes = shapes
        self._control = control
        self._echo = echo
        self._ids = ids
        self._keeps_places = keeps_places
        self._found: dict[tuple[str, str, str], Difference] = {}
        self._fixed: dict[tuple[str, str, str], set[str]] = {}
        """The exact places of differences that were added as `fixed`."""
        self._beyond = 0
        self._beyond_counts = False
        """One of those that are not listed counts."""

    def place(self, text: str) -> Place:
        """The place of a whole document (`$`), a header field, a form field, the status or the body."""
        return root_place(text, self._patterns)

    def unordered(self, place: Place) -> PathRule | None:
        """The rule that makes the order of a list at this place irrelevant, or None."""
        return next((self._active[number] for number in place.rules if self._active[number].unordered), None)

    def add(
        self,
        place: Place,
        kind: str,
        primary: object,
        shadow: object,
        where: Callable[[], str],
        *,
        shape: str = "",
        excerpt: tuple[object, object] | None = None,
        name: str = "",
        fixed: bool = False,
    ) -> None:
        """Add a difference at a place. `where` returns the exact place; it is called only if the difference is kept.

        `shape`: the known shape of both values, if the caller knows it (a header field's, by its name). `excerpt`: the
        parts of both values to show instead of the whole ones. `name`: of the values, if it is not that of the place.
        `fixed`: `where` is the same for this part of the primary whatever it is compared with.
        """
        if kind in place.counted and not self._keeps_places:
            return  # a difference that counts stands for all of its path and kind
        noise = self._noise(place, kind, primary, shadow, shape, name or place.name, where)
        if not noise:
            place.counted.add(kind)
        key = (place.text, kind, noise)
        if fixed and self._keeps_places and noise in ("", "id"):
            places = self._fixed.setdefault(key, set())
            if len(places) <= _MAX_PLACES:
                places.add(where())
        if key in self._found:
            return
        if len(self._found) >= _MAX_PATHS:
            self._beyond += 1
            self._beyond_counts = self._beyond_counts or not noise
            return
        primary, shadow = excerpt or (primary, shadow)
        self._found[key] = Difference(place.text, kind, shown(primary), shown(shadow), noise, where())

    def add_foreign(self, foreign: Foreign) -> None:
        """Add that the mirror has the primary's id in a place, and not its own."""
        place = self.place_of(foreign.path)
        self.add(place, PRIMARY_ID, foreign.value, foreign.value, lambda: foreign.where)

    def place_of(self, path: str) -> Place:
        """The place at a path as differences have it, in a document or a header field."""
        if not path.startswith("$"):
            return self.place(path)
        place = self.place("$")
        try:
            steps = pattern(path.replace("[*]", "[0]")).steps
        except PathError:  # of a very long path only the beginning is kept
            return self.place(path)
        for step in steps:
            place = place.element(step.key) if isinstance(step.key, int) else place.below(str(step.key))
        return place

    def beyond(self, place: Place, count: int) -> None:
        """Add `count` differences below a place that are not listed one by one. They count unless a rule covers it."""
        self._beyond += count
        if count and not self._by_rule(place, "value", None, None):
            self._beyond_counts = True

    def _noise(
        self,
        place: Place,
        kind: str,
        primary: object,
        shadow: object,
        shape: str,
        name: str,
        where: Callable[[], str],
    ) -> str:
        if by_rule := self._by_rule(place, kind, primary, shadow):
            return by_rule
        if self._control is not None and self._control.covers(place.text, kind, where):
            return "control"
        if self._twin is not None and kind in ("value", "type") and self._twin.are_same(place.text, primary, shadow):
            return TWIN
        if self._echo is not None:
            echoed = self._echo.noise(name, place.text, kind, primary, shadow)
            if echoed is not None:
                return echoed
        if self._shapes is None or kind != "value":
            return ""
        if _TRACE.fullmatch(place.text) and type(primary) is type(shadow):
            return "timing"
        shape = shape or self._shapes.noise(name, primary, shadow)
        if shape == "id" and self._control is not None and not self._control.has_id(place.text, kind, where):
            # The control has the same id as the primary, so the primary does not generate a new one each time.
            return ""
        if not shape and self._ids is not None and self._ids.same(name, place.text, primary, shadow):
            return "new_id"
        return shape

    def _by_rule(self, place: Place, kind: str, primary: object, shadow: object) -> str:
        for number in place.above:
            if self._active[number].ignore:
                return "ignored"
            if self._active[number].presence:
                return "presence"
        for number in place.rules:
            rule = self._active[number]
            if rule.ignore:
                return "ignored"
            if rule.presence and kind not in ("missing", "extra") and (primary is None) == (shadow is None):
                return "presence"
            if rule.unordered and kind == "order":
                return "unordered"
            if rule.regex is not None and kind in ("value", "type") and rule.both_match(primary, shadow):
                return "regex"
            if rule.tolerates(primary, shadow):
                return "tolerance"
        return ""

    def add_undone(self, before: Differences, echo: Echo) -> None:
        """Add as noise what differed before `echo` was undone, and does not differ any more."""
        left = {(path, kind) for path, kind, _ in self._found}
        for (path, kind, _), each in before._found.items():
            if (path, kind) not in left and len(self._found) < _MAX_PATHS:
                reason = echo.reason(each.shadow)
                self._found[path, kind, reason] = replace(each, noise=reason)

    def accept(self, accepted: Collection[str], endpoint: str) -> None:
        """Make noise of the differences whose causes are among the findings `accepted`, by id."""
        counting = [each for each in self._found.values() if not each.noise]
        for each, id in zip(counting, ids_of(counting, endpoint), strict=True):
            if id in accepted:
                del self._found[each.path, each.kind, ""]
                self._found[each.path, each.kind, ACCEPTED] = replace(each, noise=ACCEPTED)

    def as_control(self) -> ControlNoise:
        """The noise of the primary, if the compared pair is the primary's response and the control.

        Differences in a known shape are left out, except ids: a time that varies must not make another value noise.
        """
        ids = frozenset((path, kind) for path, kind, noise in self._found if noise == "id")
        found = frozenset((path, kind) for path, kind, noise in self._found if not noise)
        moving = tuple(path for path, kind in found if kind in ("missing", "extra", "order", "type"))
        fixed: dict[str, dict[tuple[str, str], frozenset[str]]] = {"": {}, "id": {}}
        for (path, kind, noise), places in self._fixed.items():
            if len(places) <= _MAX_PLACES and not path.startswith(moving):
                fixed[noise][path, kind] = frozenset(places)
        return ControlNoise(found, ids, fixed[""], fixed["id"])

    def listed(self, most: int) -> tuple[tuple[Difference, ...], int]:
        """At most `most` differences, those that count before the others, and the number of those left out."""
        ordered = sorted(self._found.values(), key=lambda each: bool(each.noise))
        return tuple(ordered[:most]), max(0, len(ordered) - most) + self._beyond

    def verdict(self) -> str:
        """`same`, `noise` or `different`."""
        if self._beyond_counts or any(not each.noise for each in self._found.values()):
            return "different"
        return "noise" if self._found else "same"
