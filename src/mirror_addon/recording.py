"""What the options say of comparing and recording, checked."""

from __future__ import annotations

import os
from pathlib import Path

from mirror_addon.compare.record_file import why_unwritable
from mirror_addon.options import COMPARE_FILE
from mirror_addon.options import OptionError
from mirror_addon.options import Settings
from mirror_addon.shadow.frames import Recording


def record_path(settings: Settings) -> Path | None:
    """Where the record is, absolute; None where there is none."""
    return Path(os.path.abspath(os.path.expanduser(settings.record))) if settings.record else None


def check_recording(settings: Settings) -> None:
    """Make the record's file if it is missing, and read the rules of comparison. Raises OptionError."""
    path = record_path(settings)
    if path is not None and (problem := why_unwritable(path)):
        raise OptionError(f"mirror_record={settings.record}: {problem}")
    comparison_rules(settings)


def recording_of(settings: Settings, rules: str, *, compare: bool) -> Recording:
    """What the workers are to do with pairs; `rules` are those of comparison."""
    path = record_path(settings)
    return Recording(
        settings.queue,
        compare,
        rules,
        settings.compare,
        tuple(sorted(settings.redact)),
        str(path) if path is not None else "",
        settings.record_bodies,
        settings.record_rotate or 0,
    )


def comparison_rules(settings: Settings) -> str:
    """The text of the rules of comparison, which can be parsed; empty if the file that need not exist does not.
    Raises OptionError."""
    try:
        text = Path(os.path.expanduser(settings.compare)).read_text()
    except FileNotFoundError:
        if settings.compare == COMPARE_FILE:
            return ""
        raise OptionError(f"mirror_compare={settings.compare}: no such file; name one that exists") from None
    except (OSError, ValueError) as error:
        raise OptionError(f"mirror_compare={settings.compare}: {error}; name a file of rules of comparison") from None
    if text:
        from mirror_addon.compare.rules import Rules  # much to import, for those who have such a file
        from mirror_addon.compare.rules import RulesError

        try:
            Rules.parse(text, settings.compare)
        except RulesError as error:
            raise OptionError(f"mirror_compare={settings.compare}: {error}") from None
    return text
