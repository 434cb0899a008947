"""The generated parts of the reference are what the code has."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from doctools import ROOT

PAGES = {"options.md", "cli.md", "counters.md"}


def test_the_reference_has_not_drifted(tmp_path: Path) -> None:
    """In a process of its own: click keeps the help option of the first context that asks for a command's."""
    for name in PAGES:
        page = ROOT / "docs" / "reference" / name
        assert "<!-- generated: " in page.read_text()
        shutil.copy(page, tmp_path)
    (tmp_path / "drifted.md").write_text((tmp_path / "options.md").read_text().replace("`30s`", "`31s`"))
    run = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", tmp_path], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["drifted.md"], f"run `python docs/generate.py`: {run.stdout}"
    assert (tmp_path / "drifted.md").read_text() == (tmp_path / "options.md").read_text()
