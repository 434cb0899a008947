"""Diffy's rule over many pairs: which differences are the candidate's, and which the primary's own noise.

For each endpoint, path and kind of difference two shares are learned: of pairs in which the candidate differs (raw),
and of controls, the primary asked twice, in which the primary differs from itself (noise). A difference is real where
raw exceeds noise by more than `relative` of both together and by more than `absolute` of all: `(raw - noise) /
(raw + noise)` and `raw - noise`, Diffy's thresholds of 20 % and 0.03 %.

Diffy has a control for each pair; here they may be a sample, so shares are compared where Diffy compares counts, and
noise that was seen is taken for as much as it may well be (the upper end of its interval). Known shapes are left out on
both sides: that a time varies excuses no other difference there. Ids are counted by themselves: if the primary has the
same one each time it is asked, it does not make them up, and a candidate that does has a defect.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mirror_addon.compare.difference import Difference

OTHER = "(others)"
"""The endpoint, and the path, that stands for all beyond the limits."""
MAX_ENDPOINTS = 2000
MAX_PATHS = 500
MIN_CONTROLS = 3
"""Controls from which on an id counts that differs from the candidate's and not from itself."""
_Z = 1.645


class _Key(NamedTuple):
    path: str
    kind: str


@dataclass(frozen=True, slots=True)
class PathNoise:
    """One path and kind of difference of one endpoint. `raw` of `pairs` differ there from the candidate, `noise` of
    `controls` from the primary itself, known shapes left out. `relative`, `absolute`: how much more often the candidate
    differs, as a share of both and of all. `real`: both are over their thresholds, or an id is not the primary's.
    """

    endpoint: str
    path: str
    kind: str
    pairs: int
    raw: int
    controls: int
    noise: int
    relative: float
    absolute: float
    real: bool


class _Counts:
    __slots__ = ("control_ids", "ids", "noise", "raw")

    def __init__(self) -> None:
        self.raw = self.noise = self.ids = self.control_ids = 0


class _Endpoint:
    __slots__ = ("controls", "counts", "pairs")

    def __init__(self) -> None:
        self.pairs = self.controls = 0
        self.counts: dict[_Key, _Counts] = {}


class Noise:
    """Is fed pairs, and says what is real. Memory is bounded: what is beyond the limits is counted under OTHER."""

    def __init__(
        self,
        relative: float = 0.2,
        absolute: float = 0.0003,
        *,
        max_endpoints: int = MAX_ENDPOINTS,
        max_paths: int = MAX_PATHS,
    ) -> None:
        self.relative = relative
        self.absolute = absolute
        self._max_endpoints = max_endpoints
        self._max_paths = max_paths
        self._endpoints: dict[str, _Endpoint] = {}

    def pair(
        self, endpoint: str, candidate: Iterable[Difference] | None, control: Iterable[Difference] | None = None
    ) -> None:
        """A pair: what the candidate, and the control, differ in from the primary. None: it was not asked.

        Differences that are noise already do not count, but for ids.
        """
        at = self._endpoint(endpoint)
        if candidate is not None:
            at.pairs += 1
            for key, noises in self._by_key(at, candidate).items():
                at.counts[key].raw += "" in noises
                at.counts[key].ids += "id" in noises
        if control is not None:
            at.controls += 1
            for key, noises in self._by_key(at, control).items():
                at.counts[key].noise += "" in noises
                at.counts[key].control_ids += "id" in noises

    def _by_key(self, endpoint: _Endpoint, differences: Iterable[Difference]) -> dict[_Key, set[str]]:
        """Why they are noise, by path and kind; all that have no room as one."""
        found: dict[_Key, set[str]] = {}
        for each in differences:
            if each.noise in ("", "id"):
                key = _Key(each.path, each.kind)
                if key not in endpoint.counts:
                    if len(endpoint.counts) >= self._max_paths:
                        key = _Key(OTHER, each.kind)
                    endpoint.counts.setdefault(key, _Counts())
                found.setdefault(key, set()).add(each.noise)
        return found

    def _endpoint(self, name: str) -> _Endpoint:
        if name not in self._endpoints and len(self._endpoints) >= self._max_endpoints:
            name = OTHER
        return self._endpoints.setdefault(name, _Endpoint())

    def is_real(self, endpoint: str, path: str, kind: str = "") -> bool:
        """Is a difference of this kind, or of any, at this path of this endpoint the candidate's?

        Without controls every one is, but those that are of a known shape.
        """
        at = self._endpoints.get(endpoint) or self._endpoints.get(OTHER)
        if at is None:
            return False
        path = path if any(key.path == path for key in at.counts) else OTHER
        return any(
            self._told(endpoint, key, at).real
            for key in at.counts
            if key.path == path and (not kind or key.kind == kind)
        )

    def paths(self) -> Iterator[PathNoise]:
        """Everything that was learned, by endpoint in the order they were seen."""
        for endpoint, at in self._endpoints.items():
            for key in at.counts:
                yield self._told(endpoint, key, at)

    @property
    def overflown(self) -> bool:
        """Were there more endpoints or paths than are kept apart?"""
        return OTHER in self._endpoints or any(
            key.path == OTHER for at in self._endpoints.values() for key in at.counts
        )

    def _told(self, endpoint: str, key: _Key, at: _Endpoint) -> PathNoise:
        counts = at.counts[key]
        relative, absolute = excess(counts.raw, at.pairs, counts.noise, at.controls)
        real = relative > self.relative and absolute > self.absolute
        if not real and counts.ids and at.controls >= MIN_CONTROLS:
            of_ids = excess(counts.ids, at.pairs, counts.control_ids, at.controls)
            real = of_ids[0] > self.relative and of_ids[1] > self.absolute
        return PathNoise(
            endpoint, key.path, key.kind, at.pairs, counts.raw, at.controls, counts.noise, relative, absolute, real
        )


def excess(raw: int, pairs: int, noise: int, controls: int) -> tuple[float, float]:
    """How much more often the candidate differs, `raw` of `pairs`, than the primary from itself, `noise` of `controls`:
    as a share of both, and of all. Noise is taken for as much as it may well be, the upper end of its interval."""
    share = raw / pairs if pairs else 0.0
    own = _at_most(noise, controls) if noise else 0.0
    return ((share - own) / (share + own) if share or own else 0.0), share - own


def _at_most(found: int, of: int) -> float:
    """The upper end of a share's interval, by Wilson's score."""
    share = found / of
    spread = _Z * math.sqrt((share * (1 - share) + _Z * _Z / (4 * of)) / of)
    return min(1.0, (share + _Z * _Z / (2 * of) + spread) / (1 + _Z * _Z / of))
