"""The options of the sandbox for the mirror's calls: name, type, default, how a value is parsed, and help."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from mirror_addon.options import values

SANDBOX_OPTIONS: tuple[tuple[str, Any, Any, Callable[[Any], Any], str], ...] = (
    (
        "mirror_sandbox",
        Sequence[str],
        [],
        values.each(values.listening_port),
        "Ports of this proxy's own listeners to which mirrors send their calls to other services. They get the "
        "responses that the primary's calls got. Several ports: one for each mirror of a request, in order.",
    ),
    (
        "mirror_sandbox_unknown",
        str,
        "safe",
        values.one_of("safe", "block", "pass"),
        "A mirror's call that the primary did not make: safe (GET, HEAD and OPTIONS pass, others get a 599), block "
        "(all get a 599) or pass.",
    ),
    (
        "mirror_sandbox_timing",
        bool,
        False,
        bool,
        "Respond to a mirror's call after the time that the primary's took. Off: at once.",
    ),
)
