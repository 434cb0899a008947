"""The differences of a pair while they are found: one for all places of a path, each with the reason it is noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mirror_addon.compare.difference import Difference
from mirror_addon.compare.path_rule import PathRule
from mirror_addon.compare.paths import Place
from mirror_addon.compare.paths import root_place
from mirror_addon.compare.shapes import Shapes
from mirror_addon.compare.values import shown

_MAX_PATHS = 10_000
"""Differences that are kept apart, by path, kind and noise; more are counted."""


class ControlNoise(NamedTuple):
    """The pairs of path and kind by which the primary differs from the control."""

    found: frozenset[tuple[str, str]]
    ids: frozenset[tuple[str, str]] = frozenset()

    def covers(self, path: str, kind: str) -> bool:
        """Does the primary differ from itself in this way? A value that varies does not excuse one that is missing."""
        kinds = _COVERED.get(kind, (kind,))
        if any((path, each) in self.found for each in kinds):
            return True
        if kind in ("missing", "extra") and path.endswith("[*]"):  # elements come and go
            return (path.removesuffix("[*]"), "length") in self.found
        return kind == "order" and (f"{path}[*]", "value") in self.found  # what varies has no order


_COVERED: dict[str, tuple[str, ...]] = {
    "value": ("value", "type"),
    "missing": ("missing", "extra"),
    "extra": ("missing", "extra"),
    "order": ("order", "length"),
}
"""By kind, the kinds of difference to the control that excuse it."""


class Findings:
    """Collects. `shapes` None: known shapes count."""

    def __init__(self, active: tuple[PathRule, ...], shapes: Shapes | None, control: ControlNoise | None) -> None:
        self.notes: list[str] = []
        self._active = active
        self._patterns = tuple(each.pattern for each in active)
        self._shapes = shapes
        self._control = control
        self._found: dict[tuple[str, str, str], Difference] = {}
        self._beyond = 0
        self._counts = False

    def place(self, text: str) -> Place:
        """The place of a whole document, header, field, the status or body."""
        return root_place(text, self._patterns)

    def unordered(self, place: Place) -> PathRule | None:
        """The rule by which the order does not matter there."""
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
    ) -> None:
        """A difference at a place. `where` tells the place exactly, when asked.

        `shape`: the known shape that both values have, where the caller knows better. `excerpt`: what to show of them.
        """
        if kind in place.counted:
            return  # one that counts stands for all
        noise = self._noise(place, kind, primary, shadow, shape)
        if not noise:
            place.counted.add(kind)
            self._counts = True
        key = (place.text, kind, noise)
        if key in self._found:
            return
        if len(self._found) >= _MAX_PATHS:
            self._beyond += 1
            return
        there, here = excerpt or (primary, shadow)
        self._found[key] = Difference(place.text, kind, shown(there), shown(here), noise, where())

    def beyond(self, place: Place, count: int) -> None:
        """So many more differences below a place, that are not told one by one."""
        self._beyond += count
        if count and not self._by_rule(place, "value", None, None):
            self._counts = True

    def _noise(self, place: Place, kind: str, primary: object, shadow: object, shape: str) -> str:
        if by_rule := self._by_rule(place, kind, primary, shadow):
            return by_rule
        if self._control is not None and self._control.covers(place.text, kind):
            return "control"
        if self._shapes is None or kind != "value":
            return ""
        shape = shape or self._shapes.noise(place.name, primary, shadow)
        if shape == "id" and self._control is not None and (place.text, kind) not in self._control.ids:
            return ""  # the control has the same id there: the primary does not make it up
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

    def as_control(self) -> ControlNoise:
        """What was found, where the shadow is the control.

        Values that vary in a known shape are left to that shape: they excuse none of another.
        """
        ids = frozenset((path, kind) for path, kind, noise in self._found if noise == "id")
        return ControlNoise(frozenset((path, kind) for path, kind, noise in self._found if not noise), ids)

    def listed(self, most: int) -> tuple[tuple[Difference, ...], int]:
        """The first differences, those that count before the others, and how many more there are."""
        ordered = sorted(self._found.values(), key=lambda each: bool(each.noise))
        return tuple(ordered[:most]), max(0, len(ordered) - most) + self._beyond

    def verdict(self) -> str:
        """`same`, `noise` or `different`."""
        if self._counts:
            return "different"
        return "noise" if self._found else "same"
