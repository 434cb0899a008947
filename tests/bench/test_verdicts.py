"""Seeded defects in the responses of real servers: which ones the verdict finds, and how often it is wrong."""

from __future__ import annotations

import pytest
from bench import verdicts
from bench.defects import DEFECTS


@pytest.fixture(scope="module")
def done() -> verdicts.Run:
    return verdicts.run(20)


KINDS = [defect.__name__ for defect in DEFECTS]


@pytest.mark.parametrize("kind", KINDS)
def test_every_defect_is_found(done: verdicts.Run, kind: str) -> None:
    for mode in ("off", "shapes", "control", "learned", "rules"):
        # Without a control, an id that is made up on one side looks as if it were on both.
        least = 0.0 if (kind, mode) == ("flaky_id", "rules") else 1.0
        assert (done.scores[kind][mode].recall or 0.0) >= least, mode


@pytest.mark.parametrize("kind", KINDS)
def test_alarms_are_real(done: verdicts.Run, kind: str) -> None:
    of_kind = done.scores[kind]
    assert (of_kind["control"].precision or 0) >= 0.6
    assert (of_kind["learned"].precision or 0) >= 0.9
    if kind != "flaky_id":
        assert of_kind["rules"].precision == 1.0


def test_false_alarms(done: verdicts.Run) -> None:
    assert done.false_alarms["off"] == 1.0
    assert done.false_alarms["control"] < 0.4
    assert done.false_alarms["learned"] < 0.02
    assert done.false_alarms["rules"] == 0.0


def test_slower(done: verdicts.Run) -> None:
    found, ms = done.slower
    assert ms > 1
    assert found or ms < 8  # a busy machine may hide it


def test_table(done: verdicts.Run) -> None:
    text = verdicts.table(done)
    assert len([line for line in text.splitlines() if line.startswith("|")]) == len(KINDS) + 3
    assert "| off by one | 100% |" in text
