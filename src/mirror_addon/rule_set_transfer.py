"""A rule set as bytes, and back in small steps: from the process that compiled it to the one that uses it."""

from __future__ import annotations

import io
import pickle

from mirror_addon.giving_way import breathe
from mirror_addon.rule_set import RuleSet

_STEP = 4
"""Pieces of a table that are read between two pauses."""


def pack(rule_set: RuleSet) -> bytes:
    """A rule set as bytes, which the same version of this program can read."""
    pieces = rule_set.table.pieces()
    into = io.BytesIO()
    pickler = pickle.Pickler(into, pickle.HIGHEST_PROTOCOL)
    steps = range(0, len(pieces), _STEP)
    pickler.dump(len(steps))
    # A pickler remembers: the table at the end only refers to all that went before.
    for start in steps:
        pickler.dump(pieces[start : start + _STEP])
    pickler.dump(rule_set)
    return into.getvalue()


def unpack(data: bytes) -> RuleSet:
    """The rule set. Rests between steps where the thread gives way. `data` must be of `pack`, as a pickle can do
    anything; of others raises what pickle raises."""
    unpickler = pickle.Unpickler(io.BytesIO(data))
    for _ in range(unpickler.load()):
        unpickler.load()
        breathe()
    rule_set: RuleSet = unpickler.load()
    return rule_set
