"""Lines of records as the worker writes them, to be changed by each test."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirror_addon.compare.report.conditions import Outcome
from mirror_addon.compare.report.lines import LineParser
from mirror_addon.compare.report.lines import RecordLine
from mirror_addon.compare.report.summary import NoiseRule
from mirror_addon.compare.report.summary import Summary
from mirror_addon.compare.report.summary import summarise
from mirror_addon.compare.report.tally import RecordTally

Record = Callable[..., dict[str, Any]]
Summarise = Callable[..., Summary]


def _line(**changes: Any) -> dict[str, Any]:
    """`status`, `ms` and `error` are the shadow's, `primary_status` and `primary_ms` the primary's."""
    line: dict[str, Any] = {
        "version": 1,
        "id": "f1/0",
        "flow": "f1",
        "time": "2026-11-22T12:00:00.123Z",
        "rule": "default/b http[0]",
        "route": "b/v1",
        "target": "b/v2",
        "control": False,
        "method": "GET",
        "url": "http://b.test/users/7?x=1",
        "draw": 2**64 - 1,
        "primary": {
            "status": changes.pop("primary_status", 200),
            "ms": changes.pop("primary_ms", 10.0),
            "bytes": 3,
            "error": None,
        },
        "shadow": {
            "status": changes.pop("status", 200),
            "ms": changes.pop("ms", 12.0),
            "bytes": 3,
            "error": changes.pop("error", None),
        },
        "verdict": "same",
        "differences": [],
        "notes": [],
        "more": 0,
        "client": "127.0.0.1:51234",
        "start": 0.0,
    }
    return line | changes


def _different(*paths: str, noise: str = "", **changes: Any) -> dict[str, Any]:
    differences = [
        {"path": path, "kind": "value", "primary": 1, "shadow": 2, "noise": noise, "where": path} for path in paths
    ]
    return _line(verdict="noise" if noise else "different", differences=differences, **changes)


@pytest.fixture
def line() -> Record:
    return _line


@pytest.fixture
def different() -> Record:
    """A pair that differs at these paths."""
    return _different


@pytest.fixture
def lost() -> Record:
    """A shadow without a response, for the reason given."""

    def make(error: str, **changes: Any) -> dict[str, Any]:
        return _line(status=None, ms=None, error=error, verdict="failed", **changes)

    return make


@pytest.fixture
def summary_of() -> Summarise:
    def make(*records: dict[str, Any], rule: NoiseRule = NoiseRule()) -> Summary:  # noqa: B008
        tally, parse = RecordTally(), LineParser(RecordLine)
        tally.add_all(parse(json.dumps(each).encode()) for each in records)
        return summarise(tally, rule)

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes records (or raw lines) to a file."""

    def make(*records: dict[str, Any] | str, name: str = "record.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in records))
        return path

    return make


HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "]]></failure><testcase name='no'/>",
    "\x00\x01\x1b[31m\u202e\ufffe\ud800",
    "[bold red]markup[/]",
)
"""Texts that try to become something else in a page, in XML, in a terminal."""


@pytest.fixture(params=HOSTILE)
def hostile(request: pytest.FixtureRequest) -> str:
    text: str = request.param
    return text


@pytest.fixture
def hostile_summary(hostile: str, summary_of: Summarise) -> Summary:
    """The text is in every field that a client or server can fill."""
    difference = {
        "path": f"$.{hostile}",
        "kind": hostile,
        "primary": {hostile: hostile},
        "shadow": hostile,
        "noise": "",
        "where": hostile,
    }
    texts = {
        "id": hostile, "time": hostile, "route": hostile, "target": hostile, "method": hostile,
        "url": f"http://b.test/{hostile}?{hostile}",
    }  # fmt: skip
    return summary_of(
        _line(verdict="different", differences=[difference], **texts),
        _line(verdict="noise", differences=[difference | {"noise": hostile}], **texts),
        _line(verdict="failed", status=None, error=hostile, **texts),
    )


@pytest.fixture
def no_outcomes() -> list[Outcome]:
    return []
