from __future__ import annotations

from pathlib import Path

import pytest

from mirror_addon.cli.private_files import write_private


def test_a_new_file_is_the_owners(tmp_path: Path) -> None:
    file = tmp_path / "a"
    write_private(file, b"abc")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"abc", 0o600)
    file.chmod(0o644)
    write_private(file, b"x")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"x", 0o644)
    with pytest.raises(IsADirectoryError):
        write_private(tmp_path, b"")
