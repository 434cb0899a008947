"""Seeded mutations by protocol: each is found, and what is no mutation is no alarm."""

from __future__ import annotations

import pytest
from bench import protocols


@pytest.fixture(scope="module")
def found() -> dict[str, protocols.Found]:
    return {each.protocol: each for each in protocols.scores(4)}


@pytest.mark.parametrize("name", [each.name for each in protocols.PROTOCOLS])
def test_recall_and_precision_with_a_control(found: dict[str, protocols.Found], name: str) -> None:
    assert (found[name].recall, found[name].precision) == (1.0, 1.0), found[name].missed


def test_the_table_has_a_row_for_each_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "PROTOCOLS", protocols.PROTOCOLS[:1])
    lines = protocols.table(2).splitlines()
    assert lines[-1].startswith("| JSON | 18 | 100% | 100% | 100% | ")
