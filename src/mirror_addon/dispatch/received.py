"""The heads of a worker's frames as values. Pure.

A worker is a process of this program, so a frame that lacks fields means that it is another version of it, or out of
order: each function raises FrameError for that, and the worker is replaced.
"""

from __future__ import annotations

from typing import Any

from mirror_addon.shadow.frames import FrameError
from mirror_addon.shadow.frames import Report
from mirror_addon.shadow.frames import TranslatedCall
from mirror_addon.shadow.frames import VerdictReport


def read_number(head: tuple[Any, ...]) -> int:
    """The number after the kind."""
    if len(head) < 3 or not isinstance(head[1], int):
        raise FrameError(f"a frame of kind {head[0]} without a number")
    return head[1]


def read_report(head: tuple[Any, ...]) -> Report:
    """The fields of a RESULT."""
    try:
        return Report._make(head[2:])
    except TypeError as error:
        raise FrameError(f"a result that cannot be read: {error}") from None


def read_results(head: tuple[Any, ...]) -> list[tuple[int, Report]]:
    """The numbers and fields of RESULTS, all of them before the first is used."""
    try:
        return [(number, Report._make(fields)) for number, *fields in head[1:]]
    except (TypeError, ValueError) as error:
        raise FrameError(f"results that cannot be read: {error}") from None


def read_verdict(head: tuple[Any, ...]) -> VerdictReport:
    """The fields of a VERDICT."""
    try:
        return VerdictReport._make(head[2:])
    except TypeError as error:
        raise FrameError(f"a verdict that cannot be read: {error}") from None


def read_translated(head: tuple[Any, ...]) -> TranslatedCall:
    """The fields of a TRANSLATED."""
    try:
        return TranslatedCall._make(head[2:])
    except TypeError as error:
        raise FrameError(f"a translated call that cannot be read: {error}") from None
