from __future__ import annotations

import logging

import pytest
from pairtools import ended

from mirror_addon.mirroring.failure_log import FailureLog
from mirror_addon.shadow.result import Outcome
from mirror_addon.shadow.result import ShadowResult


def test_a_line_when_it_begins_changes_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = FailureLog()

    def note(outcome: Outcome, reason: str = "", label: str = "b/v2", detail: str = "why") -> list[str]:
        caplog.clear()
        log.outcome(ended(ShadowResult("1", label, outcome, reason, detail)))
        return [record.message for record in caplog.records]

    assert note("sent") == []
    assert note("failed", "connect") == ["mirror: shadows to b/v2 fail (connect: why); clients are not affected"]
    assert note("failed", "connect") == []
    assert note("dropped", "breaker_open", detail="") == []
    assert note("dropped", "unsendable") == [
        "mirror: a shadow to b/v2 was dropped (unsendable: why); more of them are only counted"
    ]
    assert note("dropped", "unsendable") == []
    assert note("failed", "connect", "c/v2") != []
    assert note("failed", "timeout") != []
    assert note("sent") == ["mirror: b/v2 responds again"]
    assert note("sent") == []
    assert note("failed", "timeout") != []
