"""Numbers made from a request's 64-bit draw."""

from __future__ import annotations

_MASK = (1 << 64) - 1


def derived(draw: int, purpose: int) -> int:
    """Return another 64-bit number, determined by `draw` and `purpose`, but statistically independent (splitmix64).

    Envoy draws anew for faults and endpoints. A derived number allows a trace to repeat the decision later.
    """
    number = (draw + purpose * 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)
