"""The operation of a GraphQL request: one path serves all of them, so an endpoint is method, path and operation.

Read are requests as of the GraphQL over HTTP specification: JSON with `query`, `operationName` and `extensions`, the
same as query parameters of GET, batches of them, persisted queries (Apollo's and Relay's), uploads in a form, and a
bare document. An operation without a name is named by the hash of its shape, in which texts and numbers are left out:
`{ user(id: 7) { name } }` is the same operation for every user.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from typing import Any
from typing import NamedTuple
from urllib.parse import parse_qs
from urllib.parse import urlsplit

from mirror_addon.compare.forms import FormError
from mirror_addon.compare.multiparts import read_parts

MAX_REQUEST = 64 * 1024
"""Bytes of a request body that are looked at."""
_MAX_BATCH = 100
_MAX_NAMES = 4
"""The most operations of a batch that its name lists."""
_MAX_SHAPE = 16 * 1024
"""Characters of a document that are looked at."""
_CACHED = 4096
"""Longer documents are read anew each time, so that the cache stays small."""
_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]{0,99}")
_PATH = re.compile(r"(?:.*/)?(?:graphql|gql|graph)(?:/.*)?", re.IGNORECASE)
_MARKS = (b'"query"', b'"operationName"', b'"persistedQuery"')
_TOKEN = re.compile(
    r'"""(?:\\"""|[^"]|"(?!""))*"""|"(?:[^"\\\n]|\\.)*"|\#[^\n]*|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\w+|\.\.\.|[^\s,\ufeff]'
)
_CUT_NAME = re.compile(rb'"operationName"\s*:\s*"([_A-Za-z][_0-9A-Za-z]{0,99})"')
_CUT_QUERY = re.compile(rb'"query"\s*:\s*("(?:[^"\\]|\\.)*)')
_FORM = re.compile(rb"(?:query|operationName|variables|extensions)=")
_BOUNDARY = re.compile(rb"--([^\r\n]{1,70})\r?\n")
_ANONYMOUS = "anonymous-"
_TYPES = frozenset({"query", "mutation", "subscription"})


class Operation(NamedTuple):
    """`name` is empty if the request is not GraphQL. `changes`: it is a mutation, so it may make something new."""

    name: str = ""
    changes: bool = False


NONE = Operation()


def operation_of(method: str, url: str, body: bytes = b"", *, cut: bool = False) -> Operation:
    """The operation of a request. `cut`: `body` is only the first part of its body."""
    if method in ("GET", "HEAD"):
        return _of_query(url) if "query=" in url or "operationName=" in url or "extensions=" in url else NONE
    if not body:
        return NONE
    body = body.removeprefix(b"\xef\xbb\xbf")
    start = body[:20].lstrip()[:1]
    known = _PATH.fullmatch(url.partition("?")[0].partition("://")[2]) is not None
    if start in (b"{", b"[") and (known or any(mark in body for mark in _MARKS)):
        return _of_json(body, known, cut)
    if start == b"-" and b'"operations"' in body[:2000]:
        return _of_form(body)
    if known and _FORM.match(body):
        return _of_query(f"?{body.decode('latin-1')}")
    if known and start.isalpha():
        return _document(body.decode("utf-8", "replace"))
    return NONE


def _of_query(url: str) -> Operation:
    try:
        fields = {name: values[0] for name, values in parse_qs(urlsplit(url).query, max_num_fields=50).items()}
    except ValueError:
        return NONE
    document: dict[str, Any] = {name: fields.get(name) for name in ("query", "operationName")}
    document["extensions"] = _loaded(fields.get("extensions", "").encode())
    return _of_object(document, False)


def _of_json(body: bytes, known: bool, cut: bool) -> Operation:
    document = None if cut or len(body) > MAX_REQUEST else _loaded(body)
    if document is None:
        return _of_cut(body[:MAX_REQUEST], known)
    if isinstance(document, list):
        return _of_batch(document[:_MAX_BATCH], known)
    # A bare document begins with a brace too, but no JSON does so that is none.
    return _of_object(document, known) if isinstance(document, dict) else NONE


def _of_batch(documents: list[Any], known: bool) -> Operation:
    found = [_of_object(each, known) if isinstance(each, dict) else NONE for each in documents]
    names = sorted({each.name for each in found})
    if not names or not names[0]:  # the empty name of one that is none sorts first
        return NONE
    more = [f"{len(names) - _MAX_NAMES}more"] if len(names) > _MAX_NAMES else []
    return Operation("+".join(names[:_MAX_NAMES] + more), any(each.changes for each in found))


def _of_object(document: dict[str, Any], known: bool) -> Operation:
    name, query, extensions = (document.get(key) for key in ("operationName", "query", "extensions"))
    found = _document(query) if isinstance(query, str) else NONE
    persisted = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
    key = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if key is None and known:
        key = next((document[each] for each in ("documentId", "doc_id", "id") if each in document), None)
        key = str(key) if type(key) is int else key
    if isinstance(name, str) and _NAME.fullmatch(name) and (found.name or key is not None or known):
        # Of several operations in a document, the one of that name is executed.
        reads = found.changes and re.search(rf"\b(?:query|subscription)\s+{name}\b", str(query)) is not None
        return Operation(name, found.changes and not reads)
    named = found.name and not found.name.startswith(_ANONYMOUS)
    if named or not isinstance(key, str):
        return found
    return Operation(f"persisted-{_hash(key)}", found.changes)


def _of_cut(body: bytes, known: bool) -> Operation:
    """What can be told of JSON that is only a part, or of a bare document in braces."""
    if name := _CUT_NAME.search(body):
        return Operation(name[1].decode())
    if query := _CUT_QUERY.search(body):
        text = _loaded(query[1].rstrip(b"\\") + b'"')
        return _document(text) if isinstance(text, str) else NONE
    return _document(body.decode("utf-8", "replace")) if known else NONE


def _of_form(body: bytes) -> Operation:
    """An upload (the GraphQL multipart request specification): the operation is in the field `operations`."""
    boundary = _BOUNDARY.match(body)
    if boundary is None:
        return NONE
    whole = body if body.rstrip().endswith(b"--") else body + b"\r\n--%s--" % boundary[1]
    try:
        parts = read_parts(whole, boundary[1].decode("latin-1"))
    except FormError:
        return NONE
    return _of_json(parts["operations"][0].content, True, False) if "operations" in parts else NONE


def _loaded(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _document(text: str) -> Operation:
    return _read(text) if len(text) <= _CACHED else _read.__wrapped__(text[:_MAX_SHAPE])


@lru_cache(maxsize=1024)
def _read(text: str) -> Operation:
    """The operation of a document that has one."""
    tokens = [token for token in _TOKEN.findall(text) if token[0] != "#"]
    if not tokens or "{" not in tokens or tokens[0] not in ("{", "query", "mutation", "subscription", "fragment"):
        return NONE
    names: list[str] = []
    kinds: list[str] = []
    depth = 0
    for token, following in zip(tokens, [*tokens[1:], ""], strict=True):
        if token in ("{", "("):
            depth += 1
        elif token in ("}", ")"):
            depth -= 1
        elif not depth and token in _TYPES:
            kinds.append(token)
            names += [following] if _NAME.fullmatch(following) else []
    changes = "mutation" in kinds
    if len(names) == len(kinds) == 1:
        return Operation(names[0], changes)
    if tokens[:2] == ["query", "{"]:
        del tokens[0]  # the short form (GraphQL 2.3)
    shape = ['""' if token[0] == '"' else "0" if token.lstrip("-")[:1].isdigit() else token for token in tokens]
    return Operation(f"{_ANONYMOUS}{_hash(' '.join(shape))}", changes)


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=4).hexdigest()
