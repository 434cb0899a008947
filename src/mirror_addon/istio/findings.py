"""Collects what the checks of one document find."""

from __future__ import annotations

from collections import Counter

from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.diagnostics import Severity
from mirror_addon.istio.diagnostics import format_path
from mirror_addon.istio.documents import Document

SCHEMA_ERROR = "IST0106"
SCHEMA_WARNING = "IST0133"
MAX_FINDINGS = 10_000
"""Per document and severity; further findings are only counted, so that a hostile file cannot fill the memory."""


class Findings:
    """Collects the diagnostics of one document.

    Paths are given in camelCase; they are located and printed as the document spells them. With `at_key` a finding is
    located at its field's key instead of its value.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._found: list[Diagnostic] = []
        self._kept: Counter[Severity] = Counter()
        self._more = 0

    def error(self, path: FieldPath, message: str, code: str = SCHEMA_ERROR, at_key: bool = False) -> None:
        self._add(Severity.ERROR, path, message, code, at_key)

    def warning(self, path: FieldPath, message: str, code: str = SCHEMA_WARNING, at_key: bool = False) -> None:
        self._add(Severity.WARNING, path, message, code, at_key)

    def info(self, path: FieldPath, message: str, code: str = SCHEMA_WARNING, at_key: bool = False) -> None:
        self._add(Severity.INFO, path, message, code, at_key)

    @property
    def refuses(self) -> bool:
        """Whether Istio's webhook or the API server refuses the document."""
        return any(found.code == SCHEMA_ERROR and found.severity is Severity.ERROR for found in self._found)

    @property
    def diagnostics(self) -> list[Diagnostic]:
        if not self._more:
            return self._found
        line, column = self._document.locate(())
        message = f"{self._more:,} more findings in this document; correct those shown first"
        return [
            *self._found,
            Diagnostic(self._document.file, line, column, SCHEMA_WARNING, Severity.WARNING, message),
        ]

    def _add(self, severity: Severity, path: FieldPath, message: str, code: str, at_key: bool) -> None:
        if self._kept[severity] >= MAX_FINDINGS:
            self._more += 1
            return
        self._kept[severity] += 1
        line, column = self._document.locate_key(path) if at_key else self._document.locate(path)
        spelled = format_path(self._document.spelled(path))
        self._found.append(Diagnostic(self._document.file, line, column, code, severity, message, spelled))
