"""A rule set as bytes, and back in small steps: from the process that compiled it to the one that uses it."""

from __future__ import annotations

import io
import pickle

from mirror_addon.rules.giving_way import breathe
from mirror_addon.rules.rule_set import RuleSet

_STEP = 4
"""Pieces of a rule set that are read between two pauses."""


class NotReadable(ValueError):
    """These bytes are no rule set of this program; the text says what was met."""


def pack(rule_set: RuleSet) -> bytes:
    """A rule set as bytes, which the same version of this program can read."""
    pieces = [*rule_set.diagnostics, *rule_set.mirrors, *rule_set.table.pieces()]
    into = io.BytesIO()
    pickler = pickle.Pickler(into, pickle.HIGHEST_PROTOCOL)
    steps = range(0, len(pieces), _STEP)
    pickler.dump(len(steps))
    # A pickler remembers: the rule set at the end only refers to all that went before.
    for start in steps:
        pickler.dump(pieces[start : start + _STEP])
    pickler.dump(rule_set)
    return into.getvalue()


def unpack(data: bytes) -> RuleSet:
    """The rule set. Rests between steps where the thread gives way. Raises NotReadable.

    `data` must be of this program's own process, as a pickle can do anything.
    """
    unpickler = pickle.Unpickler(io.BytesIO(data))
    try:
        for _ in range(unpickler.load()):
            unpickler.load()
            breathe()
        rule_set = unpickler.load()
    except Exception as error:  # a pickle of other bytes, or of another version, can raise whatever it calls
        raise NotReadable(f"{type(error).__name__}: {error}") from error
    if not isinstance(rule_set, RuleSet):
        raise NotReadable(f"it is a {type(rule_set).__name__}")
    return rule_set
