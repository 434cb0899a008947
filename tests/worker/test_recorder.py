from __future__ import annotations

import json
import os
from pathlib import Path

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.shadow.frames import Recording
from mirror_addon.shadow.subject import Subject
from mirror_addon.worker.budget import Budget
from mirror_addon.worker.pair_book import Match
from mirror_addon.worker.pair_book import PendingPair
from mirror_addon.worker.recorder import Recorder

SAME = Comparison("same", ())
SUBJECT = Subject("g", 1.0, "r", None, False, False, "PUT", "http://b/", 1, "", "", ((b"Cookie", b"secret"),))


def match(number: int = 1) -> Match:
    pair = PendingPair(number, f"g/{number}", "b/v2", SUBJECT)
    pair.response = Answer(200)
    pair.whole = True
    return Match(pair, Answer(200), None, ())


def recorder(logged: list[str], path: Path | str, **values: object) -> Recorder:
    made = Recorder(Budget(1000), logged.append)
    made.configure(Recording(1000, path=str(path), redact=(b"cookie",), **values))  # type: ignore[arg-type]
    return made


def test_no_record_no_line(tmp_path: Path) -> None:
    made = recorder([], "")
    assert made.record(match(), SAME) is None
    assert made.last_lines() == {}


def test_request_bodies_are_kept_when_they_are_recorded(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    for bodies in (False, True):
        given = match()
        made = recorder([], path, bodies=bodies)
        made.body(given.pair, b"ab")
        made.body(given.pair, b"c")
        assert made.record(given, SAME)
    without, with_bodies = (json.loads(line) for line in path.read_bytes().splitlines())
    assert "request" not in without
    assert with_bodies["request"] == {
        "headers": [["Cookie", "[redacted]"]], "body": "abc", "encoding": "utf-8", "cut": False,
    }  # fmt: skip


def test_half_an_upload_is_said_to_be_cut(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    given = match()
    given.pair.whole = False
    made = recorder([], path, bodies=True)
    made.body(given.pair, b"ab")
    made.record(given, SAME)
    assert json.loads(path.read_bytes())["request"]["cut"]


def test_another_path_is_used_at_once_and_trouble_is_said_when_it_begins_and_ends(tmp_path: Path) -> None:
    logged: list[str] = []
    folder = tmp_path / "folder"
    made = recorder(logged, folder / "r.jsonl")
    assert [made.record(match(), SAME) for _ in range(2)] == [False, False]
    assert len(logged) == 1
    assert "No such file" in logged[0]
    folder.mkdir()
    assert made.record(match(), SAME)
    assert "again" in logged[1]
    made.configure(Recording(1000, path=str(tmp_path / "other.jsonl")))
    assert made.record(match(2), SAME)
    assert list(made.last_lines()) == ["g/2"]


def test_a_record_that_is_switched_off_has_no_more_lines(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    made = recorder([], path)
    assert made.record(match(), SAME)
    made.configure(Recording(1000, path=str(path), rotate=10**6))  # the same file goes on
    assert made.record(match(2), SAME)
    made.configure(Recording(1000))
    assert made.record(match(3), SAME) is None
    assert [json.loads(line)["id"] for line in path.read_bytes().splitlines()] == ["g/1", "g/2"]


def test_a_file_for_each_day_and_target(tmp_path: Path) -> None:
    made = recorder([], tmp_path / "records" / "day=%Y-%m-%d" / "target={target}" / "pairs.jsonl")
    for number, (start, label) in enumerate([(1.0, "b/v2"), (90_000.0, "b/v2"), (1.0, "c"), (2.0, "b/v2")]):
        given = match(number)
        given.pair.subject = SUBJECT._replace(start=start)
        given.pair.label = label
        assert made.record(given, SAME)
    found = {str(file.relative_to(tmp_path)): file.read_text().count("\n") for file in tmp_path.rglob("*.jsonl")}
    assert found == {
        "records/day=1970-01-01/target=b_v2/pairs.jsonl": 2,
        "records/day=1970-01-02/target=b_v2/pairs.jsonl": 1,
        "records/day=1970-01-01/target=c/pairs.jsonl": 1,
    }
    assert (tmp_path / "records/day=1970-01-01/target=c").stat().st_mode & 0o077 == 0
    assert made.last_lines().keys() == {f"g/{number}" for number in range(4)}


def test_of_many_files_some_are_open(tmp_path: Path) -> None:
    made = recorder([], tmp_path / "{target}.jsonl")
    before = len(os.listdir("/dev/fd"))
    for number in range(100):
        given = match(number)
        given.pair.label = str(number % 40)
        assert made.record(given, SAME)
    assert len(os.listdir("/dev/fd")) - before <= 16
    lines = [json.loads(line)["target"] for file in tmp_path.iterdir() for line in file.read_bytes().splitlines()]
    assert sorted(lines, key=int) == sorted((str(number % 40) for number in range(100)), key=int)


def test_what_is_sent_again_is_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    given = match()
    given.pair.subject = SUBJECT._replace(rerun=True)
    assert recorder([], path).record(given, SAME) is None
    assert not path.exists() or not path.read_bytes()
