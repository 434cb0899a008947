"""What workers do with pairs, as the options say."""

from __future__ import annotations

import os
from pathlib import Path

from mirror_addon.compare.record_file import why_unwritable
from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import Settings
from mirror_addon.shadow.frames import Recording


def record_path(settings: Settings) -> Path | None:
    """Where the record is, absolute; None where there is none."""
    return Path(os.path.abspath(os.path.expanduser(settings.record))) if settings.record else None


def check_record(settings: Settings) -> None:
    """Make the record's file if it is missing. Raises OptionError."""
    path = record_path(settings)
    if path is not None and (problem := why_unwritable(path)):
        raise OptionError(f"mirror_record={settings.record}: {problem}")


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
