from __future__ import annotations

import gzip
import json
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from mirror_addon.api.records import read_records
from mirror_addon.api.response import Response
from mirror_addon.compare.calls import Call
from mirror_addon.compare.difference import Difference

SIDE = {"status": 200, "ms": 1.5, "bytes": 4, "error": None}
PLAIN = {
    "version": 1, "id": "f/0", "time": "2026-11-22T12:00:00.000Z", "route": None, "target": "b", "method": "GET",
    "url": "http://h/x", "endpoint": "GET /x", "control": False, "verdict": "different", "more": 2,
    "differences": [{"path": "$.a", "kind": "value", "primary": 1, "shadow": 2, "noise": "", "where": "$.a"}],
    "primary": SIDE, "shadow": {**SIDE, "status": None, "error": "timeout"},
}  # fmt: skip
KEPT = {"headers": [["X", "é"]], "body": "text", "encoding": "utf-8", "cut": False}
BODIES = {**PLAIN, "primary": {**SIDE, **KEPT}, "shadow": {**SIDE, **KEPT, "body": "AP8=", "encoding": "base64"},
          "request": {**KEPT, "body": None, "encoding": None}}  # fmt: skip


def written(tmp_path: Path, *lines: Any) -> Path:
    path = tmp_path / "record.jsonl"
    path.write_bytes(b"".join(each if isinstance(each, bytes) else json.dumps(each).encode() + b"\n" for each in lines))
    return path


def test_a_line_without_bodies(tmp_path: Path) -> None:
    (pair,) = read_records(written(tmp_path, PLAIN))
    assert (pair.id, pair.time, pair.endpoint) == ("f/0", datetime(2026, 11, 22, 12, tzinfo=UTC), "GET /x")
    assert pair.primary == Response(200, (), None, 1.5, "", 4)
    assert (pair.shadow.status, pair.shadow.error) == (None, "timeout")
    assert pair.differences == (Difference("$.a", "value", 1, 2, "", "$.a"),)
    assert (pair.verdict, pair.more, pair.route, pair.control) == ("different", 2, None, False)
    assert (pair.request.method, pair.request.url, pair.request.body) == ("GET", "http://h/x", None)


def test_a_line_with_bodies(tmp_path: Path) -> None:
    (pair,) = read_records(written(tmp_path, BODIES))
    assert (pair.primary.body, pair.shadow.body) == (b"text", b"\0\xff")
    assert (pair.primary.header("x"), pair.request.headers, pair.request.body) == ("é", (("X", "é"),), None)


def test_a_stream_of_several_files(tmp_path: Path) -> None:
    packed = tmp_path / "old.gz"
    packed.write_bytes(gzip.compress(json.dumps({**PLAIN, "id": "old", "time": ""}).encode() + b"\n"))
    pairs = read_records(str(packed), written(tmp_path, PLAIN))
    assert [(pair.id, pair.time is None) for pair in pairs] == [("old", True), ("f/0", False)]


def test_what_cannot_be_read_is_told_and_left_out(tmp_path: Path) -> None:
    wrong = [{**BODIES, "shadow": {**SIDE, **KEPT, "body": "?", "encoding": "base64"}}, {**PLAIN, "time": "noon"}]
    path = written(tmp_path, PLAIN, b"{}\n", *wrong, b"nonsense\n" * 30, PLAIN, b'{"version"')
    told: list[str] = []
    assert len(list(read_records(path, warn=told.append))) == 2
    assert "record.jsonl:2: left out: not a line of a record" in told[0]
    assert told[1].startswith("f/0: left out: ") and told[2].startswith("f/0: left out: ")
    assert told[-1] == "12 more lines left out"
    with pytest.warns(UserWarning, match="left out"):
        assert len(list(read_records(written(tmp_path, b"{}\n", PLAIN)))) == 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="gone: No such file"):
        next(read_records(tmp_path / "gone"))


def test_calls_of_the_mirror(tmp_path: Path) -> None:
    difference = PLAIN["differences"][0]
    call = {"method": "POST", "url": "http://a/x", "state": "different", "differences": [difference], "note": "n"}
    (pair,) = read_records(written(tmp_path, {**PLAIN, "calls": [call]}))
    assert pair.calls == (Call("POST", "http://a/x", "different", (Difference("$.a", "value", 1, 2, "", "$.a"),), "n"),)
