"""One 64-bit draw a request, and numbers made from it."""

from __future__ import annotations

_MASK = (1 << 64) - 1


def derived(draw: int, purpose: int) -> int:
    """Another 64-bit number, fixed by `draw` and `purpose` but to all appearances independent (splitmix64).

    Envoy rolls new dice for faults and endpoints; made from the draw, the same request can be explained again.
    """
    number = (draw + purpose * 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)
