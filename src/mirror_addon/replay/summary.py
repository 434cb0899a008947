"""What a replay says at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from mirror_addon.compare.report.wording import count
from mirror_addon.compare.report.wording import counted
from mirror_addon.compare.report.wording import printable
from mirror_addon.replay.run import Replay
from mirror_addon.replay.source import Source

REASONS = {
    "body_cut": "body recorded in part",
    "body_not_kept": "body not recorded",
    "connect": "CONNECT",
    "incomplete": "request incomplete",
    "not_http": "not HTTP",
    "shadow": "a shadow itself",
}
"""Why an exchange of a capture is left out. A word that is not here stands for itself."""


def left_out(sources: Sequence[Source]) -> Counter[str]:
    return sum((source.left_out for source in sources), Counter())


def document(replay: Replay, sources: Sequence[Source]) -> dict[str, Any]:
    """For `--json`. Times are seconds."""
    shadows = replay.shadows
    return {
        "captures": [str(source.path) for source in sources],
        "recorded": sum(source.entries for source in sources),
        "filtered": sum(source.filtered for source in sources),
        "left_out": dict(left_out(sources)),
        "requests": replay.requests,
        "mirrored": replay.mirrored,
        "given_up": replay.given_up,
        "shadows": {
            "offered": shadows.offered,
            "sent": shadows.sent,
            "failed": dict(shadows.failed),
            "dropped": dict(shadows.dropped),
            "skipped": dict(shadows.skipped),
        },
        "faults": {"delayed": replay.delayed, "aborted": replay.aborted},
        "redacted": replay.blanked,
        "seconds": round(replay.seconds, 3),
        "rate": round(_rate(replay), 3),
        "latest": round(replay.latest, 3),
        "interrupted": replay.interrupted,
        "problem": replay.problem or None,
    }


def lines(replay: Replay, sources: Sequence[Source]) -> Iterator[str]:
    """For people."""
    shadows = replay.shadows
    ended = "ended by Ctrl-C after" if replay.interrupted else "in"
    pace = f"{replay.seconds:,.1f} s ({_rate(replay):,.1f}/s)"
    yield f"replayed {counted(replay.requests, 'request')} {ended} {pace}, {count(replay.mirrored)} of them mirrored"
    parts = [f"{count(shadows.sent)} answered"]
    for name, reasons in (("failed", shadows.failed), ("dropped", shadows.dropped)):
        if reasons:
            parts.append(f"{count(reasons.total())} {name} ({_words(reasons)})")
    yield f"{counted(shadows.offered, 'shadow')}: {', '.join(parts)}"
    if shadows.skipped:
        yield f"{count(shadows.skipped.total())} not due: {_words(shadows.skipped)}"
    if replay.delayed or replay.aborted:
        yield f"faults: {count(replay.delayed)} delayed, {count(replay.aborted)} cut"
    if reasons := left_out(sources):
        yield f"left out of the captures: {_words(reasons)}"
    if replay.given_up:
        yield f"{counted(replay.given_up, 'request')} read and not begun"
    if replay.latest >= 0.1:
        yield f"up to {replay.latest:.1f} s behind time: the mirror, or this machine, did not keep up"


def warnings(replay: Replay, sources: Sequence[Source]) -> Iterator[str]:
    """What is wrong with a replay, though it went through."""
    for name, number in sorted(replay.blanked.items()):
        yield (
            f"{counted(number, 'request')} went without {printable(name)}, which the record has redacted; "
            f"give one: --set-header '{printable(name)}: VALUE'"
        )
    if not replay.requests:
        yield "no request was replayed"
    elif not replay.shadows.offered:
        yield "no request got a shadow: the rules mirror none of them; --dry-run shows why"


def _rate(replay: Replay) -> float:
    return replay.requests / replay.seconds if replay.seconds else 0.0


def _words(reasons: Mapping[str, int]) -> str:
    return ", ".join(
        f"{printable(REASONS.get(word, word))} {count(number)}" for word, number in Counter(reasons).most_common()
    )
