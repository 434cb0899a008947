"""Diffy's rule over many pairs: which differences are caused by the candidate, and which are noise of the primary.

Theory of operation. The candidate is the version behind the mirror. A control pair is two responses of the primary to
the same request. For each endpoint, path and kind of difference two shares are measured: `raw`, the share of pairs in
which the candidate differs from the primary, and `noise`, the share of control pairs in which the primary differs from
itself. A difference is real if both `(raw - noise) / (raw + noise)` is above `relative` and `raw - noise` is above
`absolute`. That is the rule of Twitter's Diffy, with its default thresholds of 20 % and 0.03 %.

Three things differ from Diffy:

- Diffy sends every request to the primary twice. Here the control pairs may be a sample, so shares are compared instead
  of counts, and noise is taken at the upper end of its confidence interval.
- Differences in a known shape are left out of both shares, so that a time that varies does not make a missing or wrong
  time noise.
- Ids are counted separately. If the primary sends the same id each time, it does not generate it, and a candidate that
  sends another one has a defect.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mirror_addon.compare.difference import Difference

OTHER = "(others)"
"""The name under which endpoints and paths beyond the limits are counted."""
MAX_ENDPOINTS = 2000
MAX_PATHS = 500
MIN_CONTROLS = 3
"""The number of control pairs that is needed to tell that the primary does not generate an id."""
_Z = 1.645
"""The 95th percentile of the normal distribution: a one-sided interval of 95 %."""


class _Key(NamedTuple):
    path: str
    kind: str


@dataclass(frozen=True, slots=True)
class PathNoise:
    """The measured noise of one path and kind of difference at one endpoint.

    `raw` of `pairs` differ there, and `noise` of `controls`, known shapes left out. `relative`, `absolute`: what
    `excess` returns for them. `real`: both are above their thresholds, or those of ids are.
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
    """Counts the differences of pairs. Memory is bounded: what is beyond the limits is counted under OTHER."""

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
        """Add the differences of the candidate and of the control from the primary. None: there was no such response.

        Differences that are noise by a rule or a known shape are left out, except ids.
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
        """The kinds of noise (`""` or `"id"`) by path and kind of difference. Beyond the limit the path is OTHER."""
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
        """Whether differences at this path of this endpoint are real. `kind`: only of this kind; empty: of any.

        Without control pairs every difference is real, except those in a known shape.
        """
        at = self._endpoints.get(endpoint) or self._endpoints.get(OTHER)
        if at is None:
            return False
        path = path if any(key.path == path for key in at.counts) else OTHER
        return any(
            self._path_noise(endpoint, key, at).real
            for key in at.counts
            if key.path == path and (not kind or key.kind == kind)
        )

    def paths(self) -> Iterator[PathNoise]:
        """What was measured, by endpoint in the order in which they were first seen."""
        for endpoint, at in self._endpoints.items():
            for key in at.counts:
                yield self._path_noise(endpoint, key, at)

    @property
    def overflown(self) -> bool:
        """Whether there were more endpoints or paths than the limits, so that some were counted under OTHER."""
        return OTHER in self._endpoints or any(
            key.path == OTHER for at in self._endpoints.values() for key in at.counts
        )

    def _path_noise(self, endpoint: str, key: _Key, at: _Endpoint) -> PathNoise:
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
    """How much more often the candidate differs (`raw` of `pairs`) than the primary itself (`noise` of `controls`).

    Return `(raw - noise) / (raw + noise)` and `raw - noise` of the shares, noise at the upper end of its interval.
    """
    share = raw / pairs if pairs else 0.0
    own = _at_most(noise, controls) if noise else 0.0
    return ((share - own) / (share + own) if share or own else 0.0), share - own


def _at_most(found: int, of: int) -> float:
    """The upper end of the confidence interval of a share, by Wilson's score."""
    share = found / of
    spread = _Z * math.sqrt((share * (1 - share) + _Z * _Z / (4 * of)) / of)
    return min(1.0, (share + _Z * _Z / (2 * of) + spread) / (1 + _Z * _Z / of))
