from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import mirror_addon
from mirror_addon._version import __version__

CHANGELOG = Path(__file__).resolve().parents[1] / "CHANGELOG.md"


def test_the_version_is_the_same_everywhere() -> None:
    assert mirror_addon.__version__ == version("mirror_addon") == __version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
    assert f"## {__version__}" in CHANGELOG.read_text()
