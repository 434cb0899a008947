"""Header fields whose values are not shown in records and pages."""

from __future__ import annotations

from dataclasses import replace

from mirror_addon.compare.difference import Difference

DEFAULT_REDACTED = (
    "Authorization",
    "Proxy-Authorization",
    "Cookie",
    "Set-Cookie",
    "X-Api-Key",
    "X-Auth-Token",
    "X-Csrf-Token",
    "X-Amz-Security-Token",
)
"""The default of `mirror_redact`: fields that carry secrets."""

REDACTED = b"[redacted]"


def redact(headers: tuple[tuple[bytes, bytes], ...], names: frozenset[bytes]) -> tuple[tuple[bytes, bytes], ...]:
    """Return `headers` with the values of the fields in `names` (lower case) replaced by REDACTED."""
    return tuple((name, REDACTED if name.lower() in names else value) for name, value in headers)


def redact_difference(difference: Difference, names: frozenset[bytes]) -> Difference:
    """Return the difference without its values, if it is one of a field in `names` (lower case)."""
    kind, _, name = difference.path.lower().partition(":")
    field = name.encode("latin-1", "replace")
    # A field with a structure of its own has paths below it, such as grpc-status-details-bin.
    if kind != "header" or not any(field == each or field.startswith((each + b".", each + b"[")) for each in names):
        return difference
    blank = REDACTED.decode()
    return replace(
        difference,
        primary=None if difference.primary is None else blank,
        shadow=None if difference.shadow is None else blank,
    )
