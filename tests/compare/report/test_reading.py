from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirror_addon.compare.report import reading
from mirror_addon.compare.report.judging import JudgedLine
from mirror_addon.compare.report.lines import KeptLine
from mirror_addon.compare.report.lines import RecordLine
from mirror_addon.compare.report.reading import RecordReader
from mirror_addon.compare.report.reading import SourceError

Write = Callable[..., Path]


def read(*sources: Any) -> tuple[list[str], RecordReader[RecordLine]]:
    reader = RecordReader([str(each) for each in sources], RecordLine)
    return [each.id for each in reader], reader


def test_files_in_the_order_given(line: Any, write: Write) -> None:
    older = write(line(id="a"), line(id="b"), name="record.jsonl.1")
    newer = write(line(id="c"), name="record.jsonl")
    found, reader = read(older, newer)
    assert found == ["a", "b", "c"]
    assert (reader.records, reader.skipped, reader.warnings) == (3, 0, [])


def test_a_file_named_twice_is_read_once(line: Any, write: Write, tmp_path: Path) -> None:
    file = write(line(id="a"))
    other = tmp_path / "link.jsonl"
    other.symlink_to(file)
    found, reader = read(file, other)
    assert found == ["a"]
    assert reader.warnings == [f"{other}: given twice, read once"]


def test_what_cannot_be_read_is_said_with_its_line(line: Any, write: Write) -> None:
    file = write(line(id="a"), "", "{", line(version=9), line(id=3), "  ", line(id="b"))
    found, reader = read(file)
    assert found == ["a", "b"]
    assert reader.skipped == 3
    assert [each.removeprefix(f"{file}:").split(":")[0] for each in reader.warnings] == ["3", "4", "5"]
    assert "not JSON" in reader.warnings[0] and "version is 9" in reader.warnings[1] and "$.id" in reader.warnings[2]


def test_an_incomplete_last_line(line: Any, write: Write) -> None:
    file = write(line(id="a"), line(id="b"))
    whole = file.read_bytes()
    for end in (len(whole) - 2, len(whole) - 40, len(whole) // 2 + 2):
        file.write_bytes(whole[:end])
        found, reader = read(file)
        assert found == ["a"]
        assert "incomplete" in reader.warnings[0] and f"{file}:2" in reader.warnings[0]
    file.write_bytes(whole[:-1])
    assert read(file)[0] == ["a", "b"]


def test_gzip_by_content_and_gzip_that_ends_early(line: Any, tmp_path: Path) -> None:
    lines = [json.dumps(line(id=str(number))) + "\n" for number in range(5000)]
    packed = gzip.compress("".join(lines).encode())
    file = tmp_path / "record.jsonl"
    file.write_bytes(packed)
    assert len(read(file)[0]) == 5000
    file.write_bytes(packed[: len(packed) // 2])
    found, reader = read(file)
    assert 0 < len(found) < 5000
    assert "the rest cannot be read" in reader.warnings[-1]
    file.write_bytes(packed[:20] + b"\xff" * 50)
    assert read(file)[1].warnings


def test_standard_input(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(json.dumps(line(id="a")).encode() + b"\nno\n"))
    monkeypatch.setattr("sys.stdin", stdin)
    found, reader = read("-")
    assert found == ["a"]
    assert reader.warnings[0].startswith("<stdin>:2: ")
    assert reader.size is None
    assert not stdin.buffer.closed


def test_warnings_are_bounded(write: Write) -> None:
    _, reader = read(write(*["x"] * 100))
    assert (len(reader.warnings), reader.more_warnings, reader.skipped) == (20, 80, 100)


def test_a_line_without_end(line: Any, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_LINE", 1000)
    found, reader = read(write(line(id="a"), "x" * 5500, line(id="b")))
    assert found == ["a", "b"]
    assert reader.skipped == 1 and ":2: left out: longer than 1000 bytes" in reader.warnings[0]


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for source in (tmp_path / "none", tmp_path, tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(SourceError, match=str(source)):
            read(source)


def test_progress_ends_at_the_size(line: Any, write: Write) -> None:
    files = [write(*[line()] * 2500, name=name) for name in ("a", "b")]
    told: list[int] = []
    reader = RecordReader([str(each) for each in files], RecordLine, told.append)
    assert len(list(reader)) == 5000
    assert told == sorted(told) and len(told) == 4
    assert told[-1] == reader.size == sum(each.stat().st_size for each in files)


def test_secrets_are_left_out_of_records_that_have_them(line: Any, write: Write) -> None:
    card = "4111111111111111"
    side = {"status": 200, "ms": 1.0, "headers": [["x-a", card]], "body": f'{{"a": {card}}}', "encoding": "utf-8"}
    differences = [{"path": f"$.{card}", "kind": "value", "primary": [card], "shadow": {"a": card}}]
    request = {"headers": [["x-a", card]], "body": f"a={card}", "encoding": "utf-8"}
    base64 = side | {"body": "NDExMTExMTExMTExMTExMQ==", "encoding": "base64"}
    changes = {"url": f"http://a/{card}", "differences": differences, "verdict": "different"}
    file = write(line(**changes, primary=side, request=request), line(**changes, primary=base64, request=None), line())
    one, other, plain = RecordReader([str(file)], KeptLine)
    assert card not in str(one) and "<redacted " in one.primary.body
    assert json.loads(one.primary.body or "")["a"].startswith("<redacted ")
    assert card not in str(other)
    assert plain.url == line()["url"]
    assert card not in str(next(iter(RecordReader([str(file)], RecordLine))))
    both = write(line(**changes, primary=side, shadow=side, request=request))
    assert card not in str(next(iter(RecordReader([str(both)], JudgedLine))))
