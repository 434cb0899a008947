"""A finding about a document: its position, severity, code, and a message that says what to change."""

from __future__ import annotations

import enum
from dataclasses import dataclass

FieldPath = tuple[str | int, ...]
"""A place in a document: `("spec", "http", 0, "mirror")`."""


class Severity(enum.StrEnum):
    """istioctl's three levels."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


def format_path(path: FieldPath) -> str:
    """Return a path as text: `spec.http[0].mirror` for `("spec", "http", 0, "mirror")`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One finding, with the code that `istioctl analyze` prints for it.

    `line` and `column` count from 1; `path` is the field path as text, empty for the whole document.
    """

    file: str
    line: int
    column: int
    code: str
    severity: Severity
    message: str
    path: str = ""

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}:{self.column}: {self.severity} {self.code} {where}{self.message}"
