"""Sticky sampling: the same user is always in or always out, in place of the request's draw."""

from __future__ import annotations

from hashlib import blake2b

from mirror_addon.istio.mirror_annotations import SampleBy
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fractions import Fraction
from mirror_addon.routing.subject import Subject

_WHOLE = 1 << 64


class Sampler:
    """Makes a user's 64-bit number. Nothing of rule, mirror, path or process is in it, so all mirrors agree."""

    __slots__ = ("_key", "by")

    def __init__(self, by: SampleBy, seed: bytes) -> None:
        self.by = by
        self._key = blake2b(seed).digest()  # a key has 64 bytes at most, a seed any length

    def number(self, request: Request) -> int | None:
        """The number of the user that sent `request`, None where it names none: then the draw decides."""
        value = self._value(request)
        return int.from_bytes(blake2b(value, digest_size=8, key=self._key).digest()) if value else None

    def _value(self, request: Request) -> bytes | None:
        name = self.by.name.encode()
        if self.by.kind == "source":
            return request.client
        subject = Subject(request, b"")
        if self.by.kind == "query":
            return subject.param(name)
        if self.by.kind == "header":
            return next(iter(subject.lines(name.lower())), None)
        for line in subject.lines(b"cookie"):
            for pair in line.split(b";"):
                key, equals, value = pair.strip().partition(b"=")
                if equals and key == name:
                    return value.strip(b'"')
        return None


def holds(fraction: Fraction, number: int) -> bool:
    """Whether a user is among a fraction of all. Whoever is in a smaller one is in every greater one, whatever their
    denominators, which the remainder that Envoy takes would not give."""
    return number * fraction.denominator < fraction.numerator * _WHOLE


def words(fraction: Fraction, number: int, by: SampleBy) -> str:
    """The comparison, for a trace."""
    relation = "<" if holds(fraction, number) else ">="
    return f"by {by}: {100 * number / _WHOLE:.6f} % {relation} {fraction}"
