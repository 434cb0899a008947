"""What a replay prints at its end, as data and for people, and what makes it fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from mirror_addon.compare.report.conditions import FailCondition
from mirror_addon.compare.report.conditions import Outcome
from mirror_addon.compare.report.wording import count
from mirror_addon.compare.report.wording import counted
from mirror_addon.display.text import printable
from mirror_addon.replay.run import Replay
from mirror_addon.replay.source import Source

REASONS = {
    "body_altered": "body not recorded as it was sent",
    "body_cut": "body recorded in part",
    "body_not_kept": "body not recorded",
    "connect": "CONNECT",
    "incomplete": "request incomplete",
    "malformed": "cannot be read",
    "not_http": "not HTTP",
    "shadow": "a shadow itself",
}
"""Texts for reasons why an exchange is left out; other reasons are printed as they are."""
SHOWN = 3
"""Mirrors without an endpoint that a message explains."""


def left_out(sources: Sequence[Source]) -> Counter[str]:
    """Exchanges that cannot be sent, by reason, over all sources."""
    return sum((source.left_out for source in sources), Counter())


def document(replay: Replay, sources: Sequence[Source]) -> dict[str, Any]:
    """The value of `replay` in the output of `--json`. Times are seconds."""
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
    """The summary for the terminal."""
    shadows = replay.shadows
    ended = "stopped by Ctrl-C after" if replay.interrupted else "in"
    pace = f"{replay.seconds:,.1f} s ({_rate(replay):,.1f}/s)"
    yield f"replayed {counted(replay.requests, 'request')} {ended} {pace}, {count(replay.mirrored)} of them mirrored"
    parts = [f"{count(shadows.sent)} got a response"]
    for name, reasons in (("failed", shadows.failed), ("dropped", shadows.dropped)):
        if reasons:
            parts.append(f"{count(reasons.total())} {name} ({_words(reasons)})")
    yield f"{counted(shadows.offered, 'shadow')}: {', '.join(parts)}"
    if shadows.skipped:
        yield f"{count(shadows.skipped.total())} skipped: {_words(shadows.skipped)}"
    if replay.delayed or replay.aborted:
        yield f"faults: {count(replay.delayed)} delayed, {count(replay.aborted)} aborted"
    if reasons := left_out(sources):
        yield f"left out of the captures: {_words({REASONS.get(word, word): reasons[word] for word in reasons})}"
    if replay.given_up:
        yield f"{counted(replay.given_up, 'request')} read but not sent"
    if replay.latest >= 0.1:
        yield f"up to {replay.latest:.1f} s behind the recorded times: the mirror, or this machine, is too slow"


def warnings(replay: Replay, sources: Sequence[Source]) -> Iterator[str]:
    """What the user should know about a replay that ran to its end."""
    for name, number in sorted(replay.blanked.items()):
        yield (
            f"{counted(number, 'request')} sent without {printable(name)}, which is redacted in the record; "
            f"give a value: --set-header '{printable(name)}: VALUE'"
        )


def why_nothing(replay: Replay, sources: Sequence[Source]) -> str:
    """Why no request got a shadow, and what to do; empty where one got it, or where a person stopped the replay."""
    if replay.shadows.offered or replay.interrupted:
        return ""
    if not replay.requests:
        reasons = left_out(sources)
        why = _words({REASONS.get(word, word): reasons[word] for word in reasons})
        if filtered := sum(source.filtered for source in sources):
            why += f"{', ' if why else ''}not matched by the filter {count(filtered)}"
        cure = "; record bodies with mirror_record_bodies=true" if reasons["body_not_kept"] else ""
        return f"nothing was mirrored, because no request was replayed{f': {why}{cure}' if why else ''}"
    if replay.missing:
        shown = [printable(text) for text in list(replay.missing.values())[:SHOWN]]
        return f"nothing was mirrored: no mirror's endpoint is known: {'; '.join(shown)}"
    if skipped := replay.shadows.skipped:
        cure = "; --all mirrors to all mirrors, whatever their percentages" if skipped["percent"] else ""
        return f"nothing was mirrored: all shadows were skipped ({_words(skipped)}){cure}"
    return "nothing was mirrored: no rule that these requests meet has a mirror; --dry-run shows what they meet"


def failures(
    replay: Replay, conditions: Sequence[FailCondition], outcomes: Sequence[Outcome], sources: Sequence[Source]
) -> list[str]:
    """Why the exit code is 1: nothing was mirrored; conditions of `--fail-on` that hold; without any, a replay without
    a response."""
    failed = [str(outcome) for outcome in outcomes if outcome.failed]
    if nothing := why_nothing(replay, sources):
        return [*failed, nothing]
    if conditions and not outcomes:
        failed.append("nothing to judge: no mirror got a shadow")
    if not conditions and replay.shadows.offered and not replay.shadows.sent:
        failed.append("no mirror sent a response")
    return failed


def _rate(replay: Replay) -> float:
    return replay.requests / replay.seconds if replay.seconds else 0.0


def _words(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{printable(word)} {count(number)}" for word, number in Counter(reasons).most_common())
