"""The fenced blocks of README.md and docs/, and what a comment above a block says about it.

<!-- not run: REASON -->       the commands need what a test does not have, or another test runs them
<!-- parsed: REASON -->        options and arguments are read, and nothing is started
<!-- start: TEXT -->           runs until the page ends; ready when its output has TEXT (`port N`: when N is open)
<!-- exits: N (REASON) -->     the last command of the block exits with N
<!-- file: NAME -->            the block is written to the file NAME
<!-- logged -->                a program of the page printed this line
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MARKS = ("", "not run", "parsed", "start", "exits", "file", "logged")
SHELL = ("sh", "console")

_BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_VARIES = re.compile(r"[-+]?\d+(?:\.\d+)? ?(?:ms|µs|s)\b")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `mark` and `about` are the two parts of the comment above it, empty without one."""

    page: str
    line: int
    language: str
    mark: str
    about: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    def commands(self) -> list[tuple[str, list[str]]]:
        """Return the commands, each with the lines of output below it, which only `console` blocks have."""
        if self.language == "console":
            parts = re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]
            return [(first, rest.splitlines()) for first, _, rest in (part.partition("\n") for part in parts)]
        joined = self.text.replace("\\\n", " ")
        return [(line, []) for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        mark, _, about = (found["mark"] or "").partition(":")
        line = text.count("\n", 0, found.start()) + 1
        name = str(page.relative_to(ROOT))
        yield Block(name, line, found["language"], mark.strip(), about.strip(), found["text"])


def alike(line: str) -> str:
    """Return a line without times and without the width of its columns."""
    return " ".join(_VARIES.sub("TIME", line).split())


def missing(expected: list[str], printed: str) -> str:
    """Return the first expected line that is not printed in this order; `...` stands for any text, or any lines."""
    lines = [alike(line) for line in printed.splitlines()]
    at, anywhere = 0, False
    for line in expected:
        wanted = alike(line)
        if wanted in ("...", ""):
            anywhere = True
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in wanted.split("...")))
        ahead = (i for i in range(at, len(lines)) if lines[i])
        match = next((i for i in ahead if pattern.fullmatch(lines[i])), None) if anywhere else next(ahead, None)
        if match is None or not pattern.fullmatch(lines[match]):
            return line
        at, anywhere = match + 1, False
    return ""
