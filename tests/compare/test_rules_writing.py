from __future__ import annotations

import os
from pathlib import Path

import pytest

from mirror_addon.compare import rules_writing
from mirror_addon.compare.causes import Cause
from mirror_addon.compare.rules import RulesError
from mirror_addon.compare.rules_writing import adding
from mirror_addon.compare.rules_writing import removing

TAX = Cause("$.items[*].tax", "missing")
TEXT = "# mine\r\nrules:\r\n- path: $.a   # why\r\n  ignore: true\r\n"


def test_written_and_taken_back_with_mode_and_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "compare.yaml"
    real.write_bytes(TEXT.encode())
    real.chmod(0o640)
    link.symlink_to(real)
    edit = adding(link, TAX)
    assert "+  accepted: f69d1514f" in edit.difference
    assert real.read_bytes() == TEXT.encode()  # shown, not written
    edit.write()
    assert link.is_symlink() and real.stat().st_mode & 0o777 == 0o640
    assert real.read_bytes().startswith(TEXT.encode()) and b"accepted: f69d1514f\r\n" in real.read_bytes()
    removing(link, TAX.id).write()
    assert real.read_bytes() == TEXT.encode()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["compare.yaml", "real.yaml"]


def test_a_new_file(tmp_path: Path) -> None:
    adding(tmp_path / "compare.yaml", TAX, ignore=True).write()
    assert "ignore: true" in (tmp_path / "compare.yaml").read_text()


def test_nothing_is_written_where_it_cannot_be_right(tmp_path: Path) -> None:
    path = tmp_path / "compare.yaml"
    edit = adding(path, TAX)
    path.write_text("# somebody else was faster\n")
    with pytest.raises(RulesError, match="has changed in the meantime"):
        edit.write()
    assert path.read_text() == "# somebody else was faster\n" and len(list(tmp_path.iterdir())) == 1
    for where, message in ((tmp_path, "cannot be read"), (tmp_path / "none" / "c.yaml", "cannot be written")):
        with pytest.raises(RulesError, match=message):
            adding(where, TAX).write()
    path.write_bytes(b"# \xff\n")
    with pytest.raises(RulesError, match="not UTF-8"):
        adding(path, TAX)


def test_only_regular_files_are_replaced(tmp_path: Path) -> None:
    edit = adding(tmp_path / "compare.yaml", TAX)
    os.mkfifo(tmp_path / "compare.yaml")
    with pytest.raises(RulesError, match="not a regular file"):
        edit.write()


def test_without_a_user_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)  # has no account
    assert "by unknown, " in adding(tmp_path / "compare.yaml", TAX).after
    assert rules_writing.removing.__doc__
