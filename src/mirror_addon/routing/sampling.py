"""Sampling by user (`mirror-addon/sample-by`): a number of the user's replaces the request's draw.

Each user is always mirrored or never.
"""

from __future__ import annotations

from hashlib import blake2b

from mirror_addon.istio.mirror_annotations import SampleBy
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fractions import Fraction
from mirror_addon.routing.lookup import RequestLookup

_WHOLE = 1 << 64


class Sampler:
    """Computes a user's 64-bit number.

    It depends on the seed and the user only, not on rule, mirror, path or process, so that all mirrors agree.
    """

    __slots__ = ("_key", "by")

    def __init__(self, by: SampleBy, seed: bytes) -> None:
        self.by = by
        self._key = blake2b(seed).digest()  # a key has at most 64 bytes, a seed any length

    def number(self, request: Request) -> int | None:
        """Return the number of the user who sent `request`; None where it names no user: then the draw decides."""
        value = self._value(request)
        return int.from_bytes(blake2b(value, digest_size=8, key=self._key).digest()) if value else None

    def _value(self, request: Request) -> bytes | None:
        name = self.by.name.encode()
        if self.by.kind == "source":
            return request.client
        lookup = RequestLookup(request, b"")
        if self.by.kind == "query":
            return lookup.param(name)
        if self.by.kind == "header":
            return next(iter(lookup.lines(name.lower())), None)
        return lookup.cookie(name)


def holds(fraction: Fraction, number: int) -> bool:
    """Whether a user belongs to a fraction of all users.

    A user in one fraction is in every greater one, whatever their denominators. The remainder, which Envoy uses for a
    draw, does not guarantee that.
    """
    return number * fraction.denominator < fraction.numerator * _WHOLE


def words(fraction: Fraction, number: int, by: SampleBy) -> str:
    """Return the comparison, for a trace."""
    relation = "<" if holds(fraction, number) else ">="
    return f"by {by}: {100 * number / _WHOLE:.6f} % {relation} {fraction}"
