"""Two bodies compared, as what they are."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.codings import MAX_DECODED
from mirror_addon.compare.codings import CodingError
from mirror_addon.compare.codings import undo
from mirror_addon.compare.findings import Findings
from mirror_addon.compare.forms import Fields
from mirror_addon.compare.forms import FormError
from mirror_addon.compare.forms import compare_forms
from mirror_addon.compare.forms import multipart
from mirror_addon.compare.forms import urlencoded
from mirror_addon.compare.headers import values_by_name
from mirror_addon.compare.json_comparison import JsonComparison
from mirror_addon.compare.json_documents import JsonError
from mirror_addon.compare.json_documents import read_json
from mirror_addon.compare.json_documents import read_json_lines
from mirror_addon.compare.media_types import MediaType
from mirror_addon.compare.media_types import form_of
from mirror_addon.compare.media_types import media_type
from mirror_addon.compare.media_types import safe_charset
from mirror_addon.compare.media_types import text_of
from mirror_addon.compare.texts import compare_bytes
from mirror_addon.compare.texts import compare_texts
from mirror_addon.compare.trees import Node
from mirror_addon.compare.trees import TreeError
from mirror_addon.compare.trees import compare_trees
from mirror_addon.compare.trees import read_tree
from mirror_addon.compare.values import short

_BIG = 64 * 1024


class Body(NamedTuple):
    """An answer's body without its content coding. `cut`: there is more of it. `bytes`: of the whole, where known."""

    content: bytes
    type: MediaType
    cut: bool = False
    bytes: int | None = None

    def text(self) -> str:
        """As text, whatever it is."""
        return text_of(self.content, self.type)[0]


def read_body(answer: Answer, side: str, notes: list[str]) -> Body:
    """The body of an answer, empty if it has none. What is to be said of it goes to the notes."""
    content = answer.body or b""
    headers = values_by_name(answer.headers)
    declared = media_type(", ".join(headers.get("content-type", [])))
    cut = len(content) < answer.bytes
    if cut:
        notes.append(f"{side}'s body cut at {len(content)} of {answer.bytes} bytes")
    codings = ", ".join(headers.get("content-encoding", []))
    if not codings or not content:
        return Body(content, declared, cut, max(answer.bytes, len(content)))
    try:
        content, complete = undo(content, codings)
    except CodingError as error:
        notes.append(f"{side}'s body: {error}; compared as it is")
        return Body(content, declared, cut, max(answer.bytes, len(content)))
    if not complete and len(content) >= MAX_DECODED:
        notes.append(f"{side}'s body decoded up to {len(content)} bytes")
        cut = True
    elif not complete and not cut:
        notes.append(f"{side}'s body: its {short(codings, 40)} ends too early")
    return Body(content, declared, cut)


def compare_bodies(findings: Findings, primary: Body, shadow: Body) -> None:
    """Compare two bodies. What does not parse is compared as text, with a note; texts by line, others by byte."""
    if primary.content == shadow.content:
        _compare_lengths(findings, primary, shadow)
        return
    if not primary.content or not shadow.content:
        there, here = (short(each.text()) if each.content else None for each in (primary, shadow))
        findings.add(findings.place("body"), "missing" if there else "extra", there, here, lambda: "body")
        return
    form, other = (form_of(each.type, each.content) for each in (primary, shadow))
    cut = primary.cut or shadow.cut
    if form == other and form in _STRUCTURED and not cut and _structured(findings, form, primary, shadow):
        return
    if "bytes" in (form, other):
        compare_bytes(findings, primary.content, shadow.content, cut)
        return
    if form != other and (form in _SEEN or other in _SEEN):
        there, here = (f"{name}: {short(each.text(), 100)}" for name, each in ((form, primary), (other, shadow)))
        findings.add(findings.place("body"), "type", there, here, lambda: "body")
        return
    _compare_as_text(findings, primary, shadow, cut)


def _compare_lengths(findings: Findings, primary: Body, shadow: Body) -> None:
    """Of two bodies of which the parts that are known are the same."""
    if primary.bytes is not None and shadow.bytes is not None and primary.bytes != shadow.bytes:
        findings.add(findings.place("body"), "length", primary.bytes, shadow.bytes, lambda: "body")


def _structured(findings: Findings, form: str, primary: Body, shadow: Body) -> bool:
    """Compare by structure. False: at least one of them does not have it."""
    read, compare = _STRUCTURED[form]
    with _collector_paused(len(primary.content) + len(shadow.content)):
        values = []
        for side, body in (("primary", primary), ("shadow", shadow)):
            try:
                values.append(read(body))
            except (JsonError, TreeError, FormError) as error:
                findings.notes.append(f"{side}'s body: {error}, compared as text")
        if len(values) < 2:
            return False
        try:
            compare(findings, *values)
        except RecursionError:
            findings.notes.append(f"body: {form} nested too deep, compared as text")
            return False
    return True


def _compare_as_text(findings: Findings, primary: Body, shadow: Body, cut: bool) -> None:
    texts = []
    for side, body in (("primary", primary), ("shadow", shadow)):
        text, said = text_of(body.content, body.type)
        texts.append(text)
        if said:
            findings.notes.append(f"{side}'s body {said}")
    if texts[0] == texts[1]:
        findings.notes.append("body: the same text in another charset")
    else:
        compare_texts(findings, texts[0], texts[1], cut)


class _JsonText(NamedTuple):
    value: Any
    booleans: bool


def _read_json(body: Body) -> _JsonText:
    text = body.text()
    return _JsonText(read_json(text), "true" in text or "false" in text)


def _read_json_lines(body: Body) -> _JsonText:
    text = body.text()
    return _JsonText(read_json_lines(text), "true" in text or "false" in text)


def _compare_json(findings: Findings, primary: _JsonText, shadow: _JsonText) -> None:
    JsonComparison(findings, primary.booleans or shadow.booleans).run(primary.value, shadow.value)


def _read_xml(body: Body) -> Node:
    return read_tree(body.content, False, safe_charset(body.type))


def _read_html(body: Body) -> Node:
    return read_tree(body.content, True, safe_charset(body.type))


def _read_form(body: Body) -> Fields:
    return urlencoded(body.text())


def _read_multipart(body: Body) -> Fields:
    return multipart(body.content, body.type.parameter("boundary"))


_STRUCTURED: dict[str, tuple[Callable[[Body], Any], Callable[[Findings, Any, Any], None]]] = {
    "json": (_read_json, _compare_json),
    "json-lines": (_read_json_lines, _compare_json),
    "xml": (_read_xml, compare_trees),
    "html": (_read_html, compare_trees),
    "form": (_read_form, compare_forms),
    "multipart": (_read_multipart, compare_forms),
}
_SEEN = frozenset({"json", "xml", "html"})
"""Forms that show in the first bytes: one of these is not the other, nor a text."""


@contextlib.contextmanager
def _collector_paused(size: int) -> Iterator[None]:
    """No cyclic collection inside, for big bodies: it would scan the growing trees again and again."""
    paused = size > _BIG and gc.isenabled()
    if paused:
        gc.disable()
    try:
        yield
    finally:
        if paused:
            gc.enable()
