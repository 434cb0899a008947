"""A file's YAML into the values and positions of its documents, whatever the text.

PyYAML's events are used (from libyaml where it is installed) instead of its composer: events need no recursion, allow
the limits to be enforced while the text is read, and let an alias be counted as all the nodes that it stands for.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.events import DocumentStartEvent

from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.diagnostics import Severity
from mirror_addon.istio.document_builder import Composed
from mirror_addon.istio.document_builder import DocumentBuilder
from mirror_addon.istio.limits import MAX_NODES
from mirror_addon.istio.limits import TOO_DEEP
from mirror_addon.istio.limits import Refused
from mirror_addon.istio.limits import check_bytes
from mirror_addon.istio.limits import check_density
from mirror_addon.istio.limits import position

_MAX_SYNTAX_ERRORS = 20
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DOCUMENT_START = re.compile(rb"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_LIBYAML_TOO_DEEP = "exceeded maximum nesting depth"
"""libyaml's own message, from 1,000 levels on. Its scanner looks ahead, so it may come before our limit is reached."""
_TEMPLATE = "; this looks like a template: render it first (helm template, kustomize build)"


def compose(file: str, text: bytes) -> tuple[list[Composed], list[Diagnostic]]:
    """Return the documents of a file, except empty and broken ones, and what is wrong with it, as code IST0106.

    After a syntax error reading continues at the next `---`. No text raises an exception.
    """
    diagnostics: list[Diagnostic] = []

    def report(line: int, column: int, message: str) -> None:
        diagnostics.append(Diagnostic(file, line, column, "IST0106", Severity.ERROR, message))

    try:
        check_bytes(text)
        check_density(text, _Parser)
        documents: list[Composed] = []
        start = first_line = nodes = 0
        for _ in range(_MAX_SYNTAX_ERRORS):
            composer = _Composer(file, first_line, nodes)
            try:
                composer.run(text[start:] if start else text)
                failed_at = None
            except yaml.MarkedYAMLError as error:
                mark = error.problem_mark or error.context_mark
                line, column = (mark.line, mark.column) if mark else (0, 0)
                if error.problem == _LIBYAML_TOO_DEEP:
                    raise Refused(first_line + line + 1, column + 1, TOO_DEEP) from None
                report(first_line + line + 1, column + 1, _syntax_message(error, text[start:], first_line))
                failed_at = line
            except yaml.reader.ReaderError as error:
                line, column = position(text, start + error.position)
                report(line, column, f"is not YAML: {error.reason}; remove that character")
                failed_at = line - 1 - first_line
            documents += composer.documents
            for line, column, message in composer.problems:
                report(line, column, message + (_TEMPLATE if b"{{" in text else ""))
            nodes = composer.nodes
            following = None if failed_at is None else _next_document(text, start, failed_at)
            if following is None:
                break
            start, first_line = following, text.count(b"\n", 0, following)
    except Refused as refused:
        report(refused.line, refused.column, refused.message)
        return [], diagnostics
    return documents, diagnostics


class _Composer:
    """One run over a stream, up to its end or first syntax error."""

    def __init__(self, file: str, first_line: int, nodes: int) -> None:
        self.file = file
        self.first_line = first_line
        self.nodes = nodes
        """Of the whole file so far, those of broken documents included."""
        self.documents: list[Composed] = []
        self.problems: list[tuple[int, int, str]] = []

    def run(self, text: bytes) -> None:
        get_event = _Parser(text).get_event
        while (event := get_event()) is not None:
            if event.__class__ is DocumentStartEvent:
                known = len(self.problems)
                builder = DocumentBuilder(self.file, self.first_line, MAX_NODES - self.nodes, self.problems)
                try:
                    composed = builder.build(get_event)
                finally:
                    self.nodes += builder.size
                if composed.value is not None and len(self.problems) == known:
                    self.documents.append(composed)


def _next_document(text: bytes, start: int, failed_line: int) -> int | None:
    """Return the offset of the first `---` from the failed line on, which is counted from `start`; None without one."""
    offset = start
    for _ in range(failed_line):
        newline = text.find(b"\n", offset)
        if newline < 0:
            return None
        offset = newline + 1
    # The failed line itself may be a `---` that came too early, but not the one with which this run began.
    found = _DOCUMENT_START.search(text, max(offset, start + 1))
    return found.start() if found else None


def _syntax_message(error: yaml.MarkedYAMLError, text: bytes, first_line: int) -> str:
    problem, mark = error.problem or "cannot be read", error.problem_mark
    context = f", {error.context}" if error.context else ""
    if error.context and error.context_mark and (mark is None or mark.line != error.context_mark.line):
        context += f" that begins in line {first_line + error.context_mark.line + 1}"
    hint = "; indent with spaces, not tabs" if mark is not None and _is_tab(text, mark) else ""
    return f"is not YAML: {problem}{context}{hint}{_TEMPLATE if b'{{' in text else ''}"


def _is_tab(text: bytes, mark: yaml.Mark) -> bool:
    lines = text.split(b"\n", mark.line + 1)
    return lines[mark.line].decode()[mark.column : mark.column + 1] == "\t" if mark.line < len(lines) else False
