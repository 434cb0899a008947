"""What limits the shadow engine: the values of the `mirror_*` options, parsed."""

from __future__ import annotations

from dataclasses import dataclass

from mirror_addon.shadow.frames import MAX_TAIL

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ShadowSettings:
    """Limits of one Dispatcher. Sizes are bytes."""

    concurrency: int = 256
    """Lanes: shadows in flight per mirror target and worker (`mirror_concurrency`)."""
    workers: int = 1
    """Worker processes (`mirror_workers`)."""
    queue: int = 64 * MIB
    """Bytes waiting in the proxy, the pipes and the workers together (`mirror_queue`)."""
    max_body: int = 64 * MIB
    """A longer request body is not mirrored (`mirror_max_body`)."""
    keep_body: int = 0
    """Bytes of each answer's body that come back with its result; 0 discards it and its headers."""
    compare_body: int = 0
    """Bytes of each answer's body that a worker keeps to compare them; of shadows that have a subject."""
    drain_body: int = 64 * MIB
    """Bytes of an answer's body that are read at all; the connection of a longer one is closed there."""
    prompt: bool = False
    """Pass on everything at once: for one who waits for results, where no proxy is to be spared."""

    def __post_init__(self) -> None:
        if not 0 <= self.keep_body <= MAX_TAIL:
            raise ValueError(f"keep_body is {self.keep_body}, not between 0 and {MAX_TAIL}")
