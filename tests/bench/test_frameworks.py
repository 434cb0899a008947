"""Responses of frameworks: twins are noise, mutants differ."""

from __future__ import annotations

import pytest
from bench import frameworks

NAMES = [f"{case.framework} {case.kind}" for case in frameworks.CASES]


@pytest.mark.parametrize("case", frameworks.CASES, ids=NAMES)
def test_twins_and_mutants(case: frameworks.Case) -> None:
    assert frameworks.verdict(case, mutant=False) in ("same", "noise")
    assert frameworks.verdict(case, mutant=True) == "different"


def test_scores() -> None:
    assert set(frameworks.scores().values()) == {(1.0, 1.0)}
