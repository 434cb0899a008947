"""Compare two bodies in the format that they have."""

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
from mirror_addon.compare.differences import Differences
from mirror_addon.compare.forms import FormError
from mirror_addon.compare.forms import FormFields
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
"""Bytes of both bodies from which on cyclic garbage collection is paused."""


class DecodedBody(NamedTuple):
    """The body of a response without its content coding.

    `cut`: `content` is only its first part. `bytes`: the length of the whole decoded body, None if it is unknown.
    """

    content: bytes
    type: MediaType
    cut: bool = False
    bytes: int | None = None

    def text(self) -> str:
        """As text, whatever its format."""
        return text_of(self.content, self.type)[0]


def read_body(response: Answer, side: str, notes: list[str]) -> DecodedBody:
    """Decode the body of a response; it is empty if there is none. `side` names the response in `notes`."""
    content = response.body or b""
    headers = values_by_name(response.headers)
    declared = media_type(", ".join(headers.get("content-type", [])))
    cut = len(content) < response.bytes
    if cut:
        notes.append(f"{side}'s body cut at {len(content)} of {response.bytes} bytes")
    codings = ", ".join(headers.get("content-encoding", []))
    if not codings or not content:
        return DecodedBody(content, declared, cut, max(response.bytes, len(content)))
    try:
        content, complete = undo(content, codings)
    except CodingError as error:
        notes.append(f"{side}'s body: {error}; compared without decoding")
        return DecodedBody(content, declared, cut, max(response.bytes, len(content)))
    if not complete and len(content) >= MAX_DECODED:
        notes.append(f"{side}'s body decoded up to {len(content)} bytes")
        cut = True
    elif not complete and not cut:
        notes.append(f"{side}'s body: its {short(codings, 40)} coding ends too early")
    return DecodedBody(content, declared, cut)


def compare_bodies(differences: Differences, primary: DecodedBody, shadow: DecodedBody) -> None:
    """Compare two bodies by structure, text by line, other bytes by byte.

    What cannot be parsed is compared as text, with a note.
    """
    if primary.content == shadow.content:
        _compare_lengths(differences, primary, shadow)
        return
    if not primary.content or not shadow.content:
        text, other_text = (short(each.text()) if each.content else None for each in (primary, shadow))
        kind = "missing" if primary.content else "extra"
        differences.add(differences.place("body"), kind, text, other_text, lambda: "body")
        return
    form, other = (form_of(each.type, each.content) for each in (primary, shadow))
    cut = primary.cut or shadow.cut
    if form == other and form in _STRUCTURED and not cut and _structured(differences, form, primary, shadow):
        return
    if "bytes" in (form, other):
        compare_bytes(differences, primary.content, shadow.content, cut)
        return
    if form != other and (form in _RECOGNISED or other in _RECOGNISED):
        text, other_text = (f"{name}: {short(each.text(), 100)}" for name, each in ((form, primary), (other, shadow)))
        differences.add(differences.place("body"), "type", text, other_text, lambda: "body")
        return
    _compare_as_text(differences, primary, shadow, cut)


def _compare_lengths(differences: Differences, primary: DecodedBody, shadow: DecodedBody) -> None:
    """Compare the lengths of two bodies whose contents, as far as they were kept, are the same."""
    if primary.bytes is not None and shadow.bytes is not None and primary.bytes != shadow.bytes:
        differences.add(differences.place("body"), "length", primary.bytes, shadow.bytes, lambda: "body")


def _structured(differences: Differences, form: str, primary: DecodedBody, shadow: DecodedBody) -> bool:
    """Compare by structure, if both bodies can be parsed. Return whether they could."""
    read, compare = _STRUCTURED[form]
    with _collector_paused(len(primary.content) + len(shadow.content)):
        values = []
        for side, body in (("primary", primary), ("shadow", shadow)):
            try:
                values.append(read(body))
            except (JsonError, TreeError, FormError) as error:
                differences.notes.append(f"{side}'s body: {error}, compared as text")
        if len(values) < 2:
            return False
        try:
            compare(differences, *values)
        except RecursionError:
            differences.notes.append(f"body: {form} nested too deep, compared as text")
            return False
    return True


def _compare_as_text(differences: Differences, primary: DecodedBody, shadow: DecodedBody, cut: bool) -> None:
    texts = []
    for side, body in (("primary", primary), ("shadow", shadow)):
        text, remark = text_of(body.content, body.type)
        texts.append(text)
        if remark:
            differences.notes.append(f"{side}'s body {remark}")
    if texts[0] == texts[1]:
        differences.notes.append("body: the same text in another charset")
    else:
        compare_texts(differences, texts[0], texts[1], cut)


class _JsonText(NamedTuple):
    """A parsed JSON text. `booleans`: it may have `true` or `false` in it (see JsonComparison)."""

    value: Any
    booleans: bool


def _read_json(body: DecodedBody) -> _JsonText:
    text = body.text()
    return _JsonText(read_json(text), "true" in text or "false" in text)


def _read_json_lines(body: DecodedBody) -> _JsonText:
    text = body.text()
    return _JsonText(read_json_lines(text), "true" in text or "false" in text)


def _compare_json(differences: Differences, primary: _JsonText, shadow: _JsonText) -> None:
    JsonComparison(differences, primary.booleans or shadow.booleans).run(primary.value, shadow.value)


def _read_xml(body: DecodedBody) -> Node:
    return read_tree(body.content, False, safe_charset(body.type))


def _read_html(body: DecodedBody) -> Node:
    return read_tree(body.content, True, safe_charset(body.type))


def _read_form(body: DecodedBody) -> FormFields:
    return urlencoded(body.text())


def _read_multipart(body: DecodedBody) -> FormFields:
    return multipart(body.content, body.type.parameter("boundary"))


_STRUCTURED: dict[str, tuple[Callable[[DecodedBody], Any], Callable[[Differences, Any, Any], None]]] = {
    "json": (_read_json, _compare_json),
    "json-lines": (_read_json_lines, _compare_json),
    "xml": (_read_xml, compare_trees),
    "html": (_read_html, compare_trees),
    "form": (_read_form, compare_forms),
    "multipart": (_read_multipart, compare_forms),
}
_RECOGNISED = frozenset({"json", "xml", "html"})
"""Formats that the first bytes show. Two bodies of which only one is in such a format are of different types."""


@contextlib.contextmanager
def _collector_paused(size: int) -> Iterator[None]:
    """Pause cyclic garbage collection for big bodies, because it would scan the growing trees again and again."""
    paused = size > _BIG and gc.isenabled()
    if paused:
        gc.disable()
    try:
        yield
    finally:
        if paused:
            gc.enable()
