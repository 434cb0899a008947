"""`mirror.findings`, `mirror.accept` and `mirror.ignore`: the causes of differences, and rules for them.

A rule is written into the file of `mirror_compare`, and into no other; it is in force when the command returns.
"""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mirror_addon.compare.findings import Finding
from mirror_addon.compare.findings import headline
from mirror_addon.display.text import printable
from mirror_addon.display.text import printable_lines
from mirror_addon.statistics.formats import share
from mirror_addon.statistics.formats import shown_value

if TYPE_CHECKING:
    from mirror_addon.session import Session

RESET = "reset"
SHOWN = 50
SHOWN_ENDPOINTS = 5

logger = logging.getLogger(__name__)


def findings_text(session: Session) -> str:
    """Return all findings, with an example and the rule that accepts it for each."""
    statistics = session.statistics
    found = statistics.findings(session.comparison.accepted)
    if not found:
        return f"no findings: none of {statistics.compared:,} compared pairs differ"
    lines = [headline(found, statistics.different)]
    for each in found[:SHOWN]:
        lines += finding_lines(each)
    if len(found) > SHOWN:
        lines.append(f"and {len(found) - SHOWN} more")
    return "\n".join(lines)


def finding_lines(finding: Finding) -> Iterator[str]:
    """Return the lines of one finding."""
    endpoints = ", ".join(finding.endpoints[:SHOWN_ENDPOINTS])
    more = len(finding.endpoints) - SHOWN_ENDPOINTS
    if more > 0 or finding.more_endpoints:
        endpoints += f" and {'more' if finding.more_endpoints else f'{more} more'}"
    pairs = f"{finding.pairs:,} pair{'' if finding.pairs == 1 else 's'}, {share(finding.pairs, finding.compared)}"
    yield printable(f"{finding.id} {finding.state}: {finding.cause.title} ({pairs}): {endpoints}")
    if finding.example is not None:
        example = finding.example
        values = f"{shown_value(example.primary)} -> {shown_value(example.shadow)}"
        yield printable(f"  {values} in {example.method} {example.url}")
    if rule := rule_of(finding):
        yield printable(f"  {rule}")


def rule_of(finding: Finding) -> str:
    """Return the rule that accepts a finding, on one line; empty if none can."""
    from mirror_addon.compare.rules import RulesError  # imports much, and most runs need no rule
    from mirror_addon.compare.rules_edit import rule_line

    try:
        return rule_line(finding.cause)
    except RulesError:
        return ""


def write_rule(session: Session, id: str, action: str = "", *, ignore: bool = False) -> str:
    """Write the rule that accepts a finding, or ignores its path; with `reset`, remove it. Return what was changed.

    Raises ValueError, with what is wrong.
    """
    from mirror_addon.compare.rules_writing import adding
    from mirror_addon.compare.rules_writing import removing

    if session.writer is None:
        raise ValueError("The mirror has not started; the event log says why")
    if action not in ("", RESET):
        raise ValueError(f"{action[:40]!r} is unknown; give a finding, and {RESET} to take its rule back")
    path = Path(os.path.expanduser(session.writer.settings.compare))
    if action:
        edit = removing(path, id)
    else:
        causes = {each.id: each.cause for each in session.statistics.findings()}
        if id not in causes:
            near = difflib.get_close_matches(id[:20], causes, 1)
            raise ValueError(
                f"no finding {id[:20]!r}; {f'did you mean {near[0]}?' if near else 'mirror.findings lists them'}"
            )
        edit = adding(path, causes[id], ignore=ignore)
    edit.write()
    session.comparison.reload_at_once()
    text = f"{id}: its rule is removed from {path}"
    if not action:
        name = "ignore" if ignore else "accept"
        text = f"{id}: {name.rstrip('e')}ed by a rule in {path}; undo with mirror.{name} {id} {RESET}"
    logger.info("mirror: %s", text)
    return f"{text}\n{printable_lines(edit.difference)}"
