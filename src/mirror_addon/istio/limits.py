"""Limits on a file's size and nodes, checked before any value is built from it.

The files may come from a shared repository. A few kilobytes of aliases can stand for billions of nodes, so aliases are
counted as the nodes that they stand for.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import Any

import yaml
from yaml.events import AliasEvent
from yaml.events import DocumentStartEvent
from yaml.events import MappingEndEvent
from yaml.events import MappingStartEvent
from yaml.events import ScalarEvent
from yaml.events import SequenceEndEvent
from yaml.events import SequenceStartEvent

MAX_BYTES = 16 * 1024 * 1024
MAX_NODES = 1_000_000
"""Per file, keys included; an alias counts as all the nodes that it stands for."""
MAX_DOCUMENTS = 20_000
"""Per file, empty ones too: a document of four bytes takes 45 us and 1 KiB."""
MAX_DEPTH = 200
TOO_MANY = f"the file has more than {MAX_NODES:,} nodes, counting aliases as what they stand for; split it"
TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"
_CHUNK = 4096
_MAX_DIRECTIVES = 100
"""libyaml compares each directive with all before it, so its time grows with the square of their number."""

_OPENING = frozenset({MappingStartEvent, SequenceStartEvent})
_CLOSING = frozenset({MappingEndEvent, SequenceEndEvent})
_COUNTED = _OPENING | {ScalarEvent, AliasEvent, DocumentStartEvent}
_OTHER_UNICODE = {
    (b"\xff\xfe\0\0", b"\0\0\xfe\xff"): "UTF-32",
    (b"\xff\xfe", b"\xfe\xff"): "UTF-16",
}
"""What a file in another encoding begins with. The longer marks come first."""

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Refused(Exception):
    """A file exceeds a limit; none of its documents is kept. Line and column count from 1."""

    def __init__(self, line: int, column: int, message: str) -> None:
        self.line = line
        self.column = column
        self.message = message


def position(text: bytes, offset: int) -> tuple[int, int]:
    """Return line and column, from 1, of the byte at `offset`."""
    line_start = text.rfind(b"\n", 0, offset) + 1
    return text.count(b"\n", 0, offset) + 1, len(text[line_start:offset].decode(errors="replace")) + 1


def check_bytes(text: bytes) -> None:
    """Raise Refused for a file that is too large or not UTF-8 text."""
    if len(text) > MAX_BYTES:
        size, limit = len(text) / 1024 / 1024, MAX_BYTES // 1024 // 1024
        raise Refused(1, 1, f"the file has {size:.1f} MiB, more than the limit of {limit} MiB; split it")
    for marks, name in _OTHER_UNICODE.items():
        if text.startswith(marks):
            raise Refused(1, 1, f"the file is {name}; save it as UTF-8")
    try:
        text.decode()
    except UnicodeDecodeError as error:
        line, column = position(text, error.start)
        byte = text[error.start]
        raise Refused(line, column, f"byte 0x{byte:02x} is not UTF-8; is this a YAML file, saved as UTF-8?") from None
    if control := _CONTROL.search(text):
        line, column = position(text, control.start())
        byte = text[control.start()]
        raise Refused(line, column, f"the file holds the control character 0x{byte:02x}; is this a YAML file?")
    if text.count(b"\n---") >= MAX_DOCUMENTS:
        raise Refused(1, 1, f"the file has more than {MAX_DOCUMENTS:,} documents; split it")
    if text.count(b"\n%") > _MAX_DIRECTIVES:
        raise Refused(1, 1, f"the file has more than {_MAX_DIRECTIVES} directives (%TAG); remove them")


def check_density(text: bytes, parser: Any) -> None:
    """Raise Refused for a text with too many nodes, before anything is built from them.

    The nodes are counted only where the text has enough separators for that many.
    """
    if sum(map(text.count, (b",", b"\n", b":", b"[", b"{"))) < MAX_NODES:
        return
    count = depth = 0
    kinds = map(type, iter(parser(text).get_event, None))
    try:
        while chunk := Counter(itertools.islice(kinds, _CHUNK)):
            count += sum(chunk[kind] for kind in _COUNTED)
            if count > MAX_NODES:
                raise Refused(1, 1, TOO_MANY)
            depth += sum(chunk[kind] for kind in _OPENING) - sum(chunk[kind] for kind in _CLOSING)
            if depth > MAX_DEPTH:
                # libyaml's time grows with the square of the depth. The composer will stop at the limit, and report it.
                return
    except yaml.YAMLError:
        # The composer reports the error, continues after it, and counts nodes too.
        return
