"""A file's YAML into the values and positions of its documents, whatever the text.

PyYAML's events are used (from libyaml where it is installed) instead of its composer: events need no recursion, allow
the limits to be enforced while the text is read, and let an alias be counted as all the nodes that it stands for.

Where libyaml reads a text otherwise than go-yaml v2, with which kubectl and istiod read, go-yaml is followed:

- In `[...]` and `{...}` a plain scalar may end in a colon (`{prefix: /v1/items:}`), which libyaml refuses. After that
  error the text is read again with another character in place of such colons, which becomes a colon in each event.
- There a plain scalar ends at `?`, so a regex must be quoted; libyaml accepts it (`document_builder`).
- kubectl splits a stream at `---` before it reads a document, so each document may begin with a byte order mark.
"""

from __future__ import annotations

import re
from collections.abc import Callable
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
_BOM = b"\xef\xbb\xbf"
_BOM_OF_DOCUMENT = re.compile(rb"(^---[ \t]*(?:#[^\n]*)?\n|^---[ \t]*\r\n)" + _BOM, re.MULTILINE)
_COLON_REFUSED = "found unexpected ':'"
_FINAL_COLON = re.compile(rb"""(?<=[^\s"'\[\]{},]):(?=[,\]}])""")
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
        if _BOM in text:
            text = _BOM_OF_DOCUMENT.sub(rb"\1", text)
        check_density(text, _Parser)
        documents: list[Composed] = []
        colon = ""
        if _Parser is yaml.SafeLoader:  # PyYAML's own parser takes such a colon for the end of a key
            text, colon = _without_final_colons(text)
        start = first_line = nodes = syntax_errors = 0
        while syntax_errors < _MAX_SYNTAX_ERRORS:
            composer = _Composer(file, first_line, nodes, colon)
            try:
                composer.run(text[start:] if start else text)
                failed_at = None
            except yaml.MarkedYAMLError as error:
                if error.problem == _COLON_REFUSED and not colon:
                    text, colon = _without_final_colons(text)
                    continue
                syntax_errors += 1
                mark = error.problem_mark or error.context_mark
                line, column = (mark.line, mark.column) if mark else (0, 0)
                if error.problem == _LIBYAML_TOO_DEEP:
                    raise Refused(first_line + line + 1, column + 1, TOO_DEEP) from None
                report(first_line + line + 1, column + 1, _syntax_message(error, text[start:], first_line))
                failed_at = line
            except yaml.reader.ReaderError as error:
                syntax_errors += 1
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

    def __init__(self, file: str, first_line: int, nodes: int, colon: str) -> None:
        self.file = file
        self.colon = colon
        """The character that stands for a colon; empty where none does."""
        self.first_line = first_line
        self.nodes = nodes
        """Of the whole file so far, those of broken documents included."""
        self.documents: list[Composed] = []
        self.problems: list[tuple[int, int, str]] = []

    def run(self, text: bytes) -> None:
        get_event = _Parser(text).get_event
        if self.colon:
            get_event = _with_colons(get_event, self.colon)
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


def _without_final_colons(text: bytes) -> tuple[bytes, str]:
    """Replace the colons that may end a plain scalar in a flow collection by a character that the text does not have.

    Positions stay the same. Colons in other places may be among them, because each becomes a colon again; those after
    a quote or a bracket are not, because they may end a key.
    """
    colon = next(char for char in map(chr, range(0xE000, 0xF900)) if char.encode() not in text)
    # The character has three bytes and is one column, as the colon.
    return _FINAL_COLON.sub(colon.encode(), text), colon


def _with_colons(get_event: Callable[[], Any], colon: str) -> Callable[[], Any]:
    """Return `get_event` with colons in place of the character `colon`."""

    def get() -> Any:
        event = get_event()
        for name in ("value", "anchor", "tag"):
            text = getattr(event, name, None)
            if text is not None and colon in text:
                setattr(event, name, text.replace(colon, ":"))
        return event

    return get


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
