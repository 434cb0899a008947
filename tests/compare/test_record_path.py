from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.compare.record_path import RecordPath

START = 1764590400.0  # 2025-12-01T12:00:00Z


@pytest.mark.parametrize("text", ["pairs.jsonl", "/a/b c/pairs.jsonl", "100%%.jsonl", "{{a}}.jsonl"])
def test_a_path_without_placeholders_is_one_file(text: str) -> None:
    path = RecordPath(text)
    assert path.is_fixed
    plain = text.replace("%%", "%").replace("{{", "{").replace("}}", "}")
    assert path.at("t", START) == path.begin() == plain
    assert list(path.files()) == [plain]


def test_placeholders() -> None:
    path = RecordPath("r/day=%Y-%m-%d/hour=%H/target={target}/{host}-{pid}.jsonl")
    assert not path.is_fixed
    host = socket.gethostname()
    assert path.at("reviews/v2", START) == (f"r/day=2025-12-01/hour=12/target=reviews_v2/{host}-{os.getpid()}.jsonl")
    assert path.begin() == "r"
    assert RecordPath("{target}.jsonl").begin() == "."


@pytest.mark.parametrize("text", ["%q.jsonl", "a/%", "{targets}.jsonl", "{", "a}", "%Y/{target"])
def test_other_placeholders_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no placeholder; there are %Y %m %d %H .*\{target\}"):
        RecordPath(text)


@settings(max_examples=100)
@given(st.text())
def test_no_target_leads_out_of_its_folder(target: str) -> None:
    made = RecordPath("/records/{target}/pairs.jsonl").at(target, START)
    assert os.path.normpath(made) == made
    assert Path(made).parents[1] == Path("/records")


def test_the_files_that_there_are(tmp_path: Path) -> None:
    folder = tmp_path / "[1]"
    path = RecordPath(f"{folder}/%Y/{{target}}.jsonl")
    for target in ("a/b", "c"):
        file = Path(path.at(target, START))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (folder / "other.jsonl").touch()
    assert sorted(path.files()) == [f"{folder}/2025/a_b.jsonl", f"{folder}/2025/c.jsonl"]
