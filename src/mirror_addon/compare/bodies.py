"""Compare two bodies in the format that they have."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

from mirror_addon.compare.decoded_body import DecodedBody
from mirror_addon.compare.differences import Differences
from mirror_addon.compare.event_streams import StreamError
from mirror_addon.compare.event_streams import read_events
from mirror_addon.compare.event_streams import read_json_lines
from mirror_addon.compare.event_streams import read_json_sequence
from mirror_addon.compare.event_streams import shorten
from mirror_addon.compare.fields import compare_values
from mirror_addon.compare.forms import FormError
from mirror_addon.compare.forms import FormFields
from mirror_addon.compare.forms import compare_forms
from mirror_addon.compare.forms import urlencoded
from mirror_addon.compare.headers import compare_headers
from mirror_addon.compare.json_comparison import JsonComparison
from mirror_addon.compare.json_documents import JsonError
from mirror_addon.compare.json_documents import read_json
from mirror_addon.compare.media_types import form_of
from mirror_addon.compare.media_types import safe_charset
from mirror_addon.compare.media_types import text_of
from mirror_addon.compare.multiparts import Part
from mirror_addon.compare.multiparts import Parts
from mirror_addon.compare.multiparts import read_parts
from mirror_addon.compare.texts import compare_bytes
from mirror_addon.compare.texts import compare_texts
from mirror_addon.compare.trees import Node
from mirror_addon.compare.trees import TreeError
from mirror_addon.compare.trees import compare_trees
from mirror_addon.compare.trees import read_tree
from mirror_addon.compare.values import short

if TYPE_CHECKING:
    from mirror_addon.compare.messages.bodies import Messages

_BIG = 64 * 1024
"""Bytes of both bodies from which on cyclic garbage collection is paused."""


def compare_bodies(differences: Differences, primary: DecodedBody, shadow: DecodedBody) -> None:
    """Compare two bodies by structure, text by line, other bytes by byte.

    What cannot be parsed is compared as text, with a note.
    """
    if primary.content == shadow.content:
        _compare_lengths(differences, primary, shadow)
        return
    cut = primary.cut or shadow.cut
    form, other = (form_of(each.type, each.content) for each in (primary, shadow))
    messages = form == other and form in _MESSAGES
    if not messages and (not primary.content or not shadow.content):
        if cut and (primary.content or primary.cut) and (shadow.content or shadow.cut):
            return  # a stream that was cut before its first byte
        text, other_text = (short(each.text()) if each.content else None for each in (primary, shadow))
        kind = "missing" if primary.content else "extra"
        differences.add(differences.place("body"), kind, text, other_text, lambda: "body")
        return
    if form == other and (not cut or form in _STREAMS) and _structured(differences, form, primary, shadow):
        return
    if messages or "bytes" in (form, other):
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
    """Compare by structure, if that format has one and both bodies can be parsed. Return whether they could."""
    if form not in _STRUCTURED:
        return False
    read, compare = _STRUCTURED[form]
    with _collector_paused(len(primary.content) + len(shadow.content)):
        values = []
        for side, body in (("primary", primary), ("shadow", shadow)):
            try:
                values.append(read(body))
            except (JsonError, TreeError, FormError, StreamError) as error:
                differences.notes.append(
                    f"{side}'s body: {error}, compared as {'bytes' if form in _MESSAGES else 'text'}"
                )
        if len(values) < 2:
            return False
        if primary.cut or shadow.cut:
            shorten(values[0].value, values[1].value)
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
    part: str


def _reader(read: Callable[[str, bool], Any]) -> Callable[[DecodedBody], _JsonText]:
    def read_body(body: DecodedBody) -> _JsonText:
        text = body.text()
        return _JsonText(read(text, body.cut), "true" in text or "false" in text, body.part)

    return read_body


def _read_json(text: str, cut: bool) -> Any:
    """A JSON text, or several in a row, one a line: streams that are called application/json, as by Kubernetes."""
    try:
        return read_json(text)
    except JsonError:
        if "\n" not in text.strip():
            raise
        try:
            return read_json_lines(text, cut)
        except JsonError:
            pass
        raise


def _compare_json(differences: Differences, primary: _JsonText, shadow: _JsonText) -> None:
    root = f"{primary.part} $".lstrip()
    JsonComparison(differences, primary.booleans or shadow.booleans, root).run(primary.value, shadow.value)


def _read_xml(body: DecodedBody) -> Node:
    return read_tree(body.content, False, safe_charset(body.type))


def _read_html(body: DecodedBody) -> Node:
    return read_tree(body.content, True, safe_charset(body.type))


def _read_form(body: DecodedBody) -> FormFields:
    return urlencoded(body.text())


def _read_grpc(body: DecodedBody) -> Messages:
    from mirror_addon.compare.messages.bodies import read_grpc  # imports google.protobuf, and few bodies are gRPC

    return read_grpc(body.content, body.type, body.cut, body.call)


def _read_protobuf(body: DecodedBody) -> Messages:
    from mirror_addon.compare.messages.bodies import read_protobuf

    return read_protobuf(body.content, body.type, body.call)


def _compare_messages(differences: Differences, primary: Messages, shadow: Messages) -> None:
    from mirror_addon.compare.messages.bodies import compare_messages

    compare_messages(differences, primary, shadow)


class _Multipart(NamedTuple):
    parts: Parts
    within: str
    """The name of the part that it is, in another multipart body."""


def _read_multipart(body: DecodedBody) -> _Multipart:
    return _Multipart(read_parts(body.content, body.type.parameter("boundary")), body.part)


def _compare_multipart(differences: Differences, primary: _Multipart, shadow: _Multipart) -> None:
    """Compare part by part, each in the format that its own type says. The order of different names does not matter."""
    for name in dict.fromkeys((*primary.parts, *shadow.parts)):
        parts, others = primary.parts.get(name, []), shadow.parts.get(name, [])
        texts, other_texts = [part.shown() for part in parts], [part.shown() for part in others]
        path = f"{primary.within}/{name}" if primary.within else name
        place = differences.place(f"form:{short(path)}")
        moved = texts != other_texts and sorted(texts) == sorted(other_texts)
        if moved or len(parts) != len(others) or place.rules or place.above or path.count("/") > _MAX_NESTED:
            compare_values(differences, place, texts, other_texts)
            continue
        for part, other, text, other_text in zip(parts, others, texts, other_texts, strict=True):
            compare_headers(differences, part.headers, other.headers)
            if text != other_text and not _part_compared(differences, path, part, other):
                compare_values(differences, place, [text], [other_text])


def _part_compared(differences: Differences, path: str, part: Part, other: Part) -> bool:
    """Compare two parts by structure. Return whether that was possible."""
    if part.kind != other.kind or not (part.type.name or part.headers):
        return False
    form = form_of(part.type, part.content)
    if form != form_of(other.type, other.content) or form == "form":
        return False
    bodies = (DecodedBody(each.content, each.type, part=path) for each in (part, other))
    return _structured(differences, form, *bodies)


_MAX_NESTED = 3
"""The most multipart bodies within each other that are compared by part."""
_STRUCTURED: dict[str, tuple[Callable[[DecodedBody], Any], Callable[[Differences, Any, Any], None]]] = {
    "json": (_reader(_read_json), _compare_json),
    "json-lines": (_reader(read_json_lines), _compare_json),
    "json-sequence": (_reader(read_json_sequence), _compare_json),
    "event-stream": (_reader(read_events), _compare_json),
    "xml": (_read_xml, compare_trees),
    "html": (_read_html, compare_trees),
    "form": (_read_form, compare_forms),
    "multipart": (_read_multipart, _compare_multipart),
    "grpc": (_read_grpc, _compare_messages),
    "protobuf": (_read_protobuf, _compare_messages),
}
_STREAMS = frozenset({"json-lines", "json-sequence", "event-stream", "grpc"})
_MESSAGES = frozenset({"grpc", "protobuf"})
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
