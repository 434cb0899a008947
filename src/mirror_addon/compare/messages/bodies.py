"""Bodies of gRPC and Protocol Buffers, as documents that are compared like JSON.

Theory of operation. `frames` takes a body of gRPC apart into messages; another body is one message. `wire` reads the
fields of a message, `typed` names them with a type of `schema`, and `untyped` by their numbers where there is none. The
documents are compared by `json_comparison`, so that paths, rules and noise are those of JSON: `$.items[*].price`, or
`$.1[*].2` by number. A call whose response is a stream is a list of messages: `$[*].price`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import NamedTuple
from urllib.parse import unquote
from urllib.parse import urlsplit

from mirror_addon.compare.decoded_body import Call
from mirror_addon.compare.differences import Differences
from mirror_addon.compare.event_streams import StreamError
from mirror_addon.compare.json_comparison import JsonComparison
from mirror_addon.compare.json_documents import JsonError
from mirror_addon.compare.json_documents import read_json
from mirror_addon.compare.media_types import MediaType
from mirror_addon.compare.messages.frames import read_frames
from mirror_addon.compare.messages.schema import schema_of
from mirror_addon.compare.messages.typed import read_message
from mirror_addon.compare.messages.untyped import reconcile
from mirror_addon.compare.messages.wire import Budget
from mirror_addon.compare.messages.wire import WireError
from mirror_addon.compare.messages.wire import read_varint

_MAX_DELIMITED = 50_000


class Messages(NamedTuple):
    """`value`: the documents. `streams`: whether there may be any number of them; None: not known."""

    value: list[Any]
    streams: bool | None


def read_grpc(content: bytes, declared: MediaType, cut: bool, call: Call) -> Messages:
    """The messages of a body of gRPC. Raises StreamError."""
    messages = read_frames(content, call.coding, cut)
    schema = schema_of(call.descriptors)
    method = schema.method(_path(call.url))
    streams = method.streams if method is not None else None
    if declared.name.endswith("+json"):
        return _rewritten([_json(each) for each in messages], streams, call)
    budget, output = Budget(), method.output if method is not None else None
    try:
        return _rewritten([read_message(each, output, schema, budget) for each in messages], streams, call)
    except WireError as error:
        raise StreamError(str(error)) from None


def read_protobuf(content: bytes, declared: MediaType, call: Call) -> Messages:
    """The message that a body is. Its type is that of the Content-Type, or of the method that the path names, as in
    Twirp and Connect. Raises StreamError."""
    schema = schema_of(call.descriptors)
    names = (declared.parameter(each) for each in ("messagetype", "proto", "message", "x-protobuf-message"))
    named = next((found for name in names if name and (found := schema.message(name)) is not None), None)
    method = schema.method(_path(call.url)) if named is None else None
    kind, budget = method.output if method is not None else named, Budget()
    delimited = declared.parameter("encoding") == "delimited"
    try:
        parts = _delimited(content) if delimited else [content]
        return _rewritten([read_message(each, kind, schema, budget) for each in parts], delimited, call)
    except WireError as error:
        raise StreamError(str(error)) from None


def _delimited(content: bytes) -> list[bytes]:
    """Messages with their lengths before them, as Prometheus writes them. Raises WireError."""
    parts: list[bytes] = []
    at = 0
    while at < len(content):
        size, at = read_varint(content, at)
        if size > len(content) - at or len(parts) >= _MAX_DELIMITED:
            raise WireError("not delimited messages")
        parts.append(content[at : at + size])
        at += size
    return parts


def compare_messages(differences: Differences, primary: Messages, shadow: Messages) -> None:
    """Compare two bodies. Where the method is not known, more than one message on a side makes it a stream."""
    reconcile(primary.value, shadow.value)
    streams = primary.streams
    if streams is None:
        streams = max(len(primary.value), len(shadow.value)) > 1
    comparison = JsonComparison(differences, True)
    if streams or max(len(primary.value), len(shadow.value)) > 1:
        comparison.run(primary.value, shadow.value)
    elif primary.value and shadow.value:
        comparison.run(primary.value[0], shadow.value[0])
    elif primary.value or shadow.value:
        one, other = (each.value[0] if each.value else None for each in (primary, shadow))
        differences.add(differences.place("$"), "missing" if primary.value else "extra", one, other, lambda: "$")


def _path(url: str) -> str:
    try:
        return unquote(urlsplit(url).path)
    except ValueError:
        return ""


def _json(message: bytes) -> Any:
    try:
        return read_json(message.decode("utf-8", "surrogateescape"))
    except JsonError as error:
        raise StreamError(str(error)) from None


def _rewritten(documents: list[Any], streams: bool | None, call: Call) -> Messages:
    if call.rewrite is not None:
        documents = [_with_texts(each, call.rewrite) for each in documents]
    return Messages(documents, streams)


def _with_texts(value: Any, rewrite: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return rewrite(value)
    if isinstance(value, dict):
        return {name: _with_texts(each, rewrite) for name, each in value.items()}
    return [_with_texts(each, rewrite) for each in value] if isinstance(value, list) else value
