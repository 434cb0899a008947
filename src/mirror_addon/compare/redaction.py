"""Header fields whose values are not shown in records and pages."""

from __future__ import annotations

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
