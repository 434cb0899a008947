"""The generated parts of the reference are what the code has."""

from __future__ import annotations

import runpy
from typing import Any

from doctools import ROOT

GENERATE: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "generate.py"))


def test_no_page_has_drifted() -> None:
    """If this fails: `python docs/generate.py`."""
    parts = 0
    for page in GENERATE["pages"]():
        text = page.read_text()
        parts += text.count("<!-- generated: ")
        assert GENERATE["generated"](text) == text, f"{page} is not what the code has: run `python docs/generate.py`"
    assert parts == len(GENERATE["PARTS"])


def test_a_page_that_has_drifted_is_noticed() -> None:
    text = (ROOT / "docs" / "reference" / "options.md").read_text()
    changed = text.replace("`30s`", "`31s`")
    assert changed != text
    assert GENERATE["generated"](changed) == text
