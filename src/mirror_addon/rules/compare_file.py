"""The text of the rules of comparison, `compare.yaml`."""

from __future__ import annotations

import os

from mirror_addon.inputs.opening import read_input
from mirror_addon.options.settings import COMPARE_FILE
from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import Settings

MAX_BYTES = 4 * 1024 * 1024
"""Of the file. It is written by hand."""


def accepted_findings(text: str) -> frozenset[str]:
    """The ids of the findings that rules of comparison accept. `text`: without errors."""
    if "accepted" not in text:
        return frozenset()
    from mirror_addon.compare.rules import Rules

    return Rules.parse(text, COMPARE_FILE).accepted


def comparison_rules(settings: Settings) -> str:
    """The text of the rules of comparison, checked; empty if the file does not exist and need not.

    Raises OptionError, with the OSError as its cause where the file cannot be read.
    """
    try:
        text = read_input(os.path.expanduser(settings.compare), MAX_BYTES).decode()
    except FileNotFoundError:
        if settings.compare == COMPARE_FILE:
            return ""
        raise OptionError(f"mirror_compare={settings.compare}: no such file; name one that exists") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise OptionError(f"mirror_compare={settings.compare}: {why}; name a file of rules of comparison") from error
    if text:
        from mirror_addon.compare.rules import Rules  # imports much, and most have no such file
        from mirror_addon.compare.rules import RulesError

        try:
            Rules.parse(text, settings.compare)
        except RulesError as error:
            raise OptionError(f"mirror_compare={settings.compare}: {error}") from None
    return text
