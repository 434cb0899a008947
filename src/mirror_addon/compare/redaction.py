"""What is left out of records, reports, tests and pages: what `mirror_redact` names, and secrets. Pure.

A header field that is named is blanked. Every other value is replaced by a placeholder, `<redacted 3f2a>`, whose digits
are a keyed digest of the value: equal values have equal placeholders within a run, so that what is compared or searched
still shows what is equal, and a value cannot be found again by trying all of them in another run. Bodies are compared
first and redacted then.

What cannot be read as its Content-Type says, or only in part, cannot be searched for the places that are named. It is
withheld as a whole.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from mirror_addon.compare.codings import CodingError
from mirror_addon.compare.codings import undo
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.paths import Key
from mirror_addon.compare.paths import PathError
from mirror_addon.compare.paths import Pattern
from mirror_addon.compare.paths import pattern
from mirror_addon.compare.secrets import without_secrets
from mirror_addon.compare.twin_values import Translation

DEFAULT_REDACTED = (
    "Authorization",
    "Proxy-Authorization",
    "Cookie",
    "Cookie2",
    "Set-Cookie",
    "Set-Cookie2",
    "WWW-Authenticate",
    "Proxy-Authenticate",
    "Authentication-Info",
    "Proxy-Authentication-Info",
    "Api-Key",
    "X-Api-Key",
    "X-Auth-Token",
    "X-Access-Token",
    "X-Forwarded-Access-Token",
    "X-Csrf-Token",
    "X-Amz-Security-Token",
    "query:access_token",
    "query:id_token",
    "query:refresh_token",
    "query:client_secret",
    "query:api_key",
    "query:X-Amz-Signature",
    "query:X-Amz-Security-Token",
)
"""The default of `mirror_redact`: fields that carry secrets, and parameters of URLs (RFC 6750 2.3, RFC 6749)."""

REDACTED = b"[redacted]"
MAX_PARSED = 1024 * 1024
"""Bytes of a body that is searched for named places: parsing it takes 15 ms of the worker's event loop."""

Headers = tuple[tuple[bytes, bytes], ...]
States = frozenset[tuple[int, int]]
"""Patterns of JSONPath by their number, and how many of their steps were matched."""

_SHORTENED = re.compile(r"\s*[\[{].*…$", re.DOTALL)
"""A list or an object that a difference shows in part, as text."""
_STEP = re.compile(r"\.([^\W\d]\w*)|\['((?:[^'\\]|\\.)*)'\]|\[(\*|\d+)\]")
_LINE = re.compile(rb"^((?:data:)?\s*)([\[{].*)$", re.MULTILINE)
"""A document in a line, as in JSON Lines and in events."""


class Redaction:
    """`entries`: header names, `$.path`, `form:FIELD` and `query:NAME`. `key`: the run's, for placeholders. Raises
    PathError."""

    def __init__(self, entries: Iterable[str] = (), key: bytes = b"") -> None:
        names, queries, forms, paths = set(), set(), set(), []
        for entry in entries:
            kind, colon, name = entry.partition(":")
            if entry.startswith("$"):
                paths.append(pattern(entry))
            elif colon and kind == "form":
                forms.add(name)
            elif colon and kind == "query":
                queries.add(name)
            else:
                names.add(entry.lower().encode("latin-1"))
        self.names = frozenset(names)
        self._forms = frozenset(forms)
        self._paths: tuple[Pattern, ...] = tuple(paths)
        self._start: States = frozenset((number, 0) for number in range(len(paths)))
        self._key = key
        self._queries = _parameters(queries)
        self._fields = _parameters(forms)

    # Values

    def placeholder(self, value: object) -> str:
        """Return what stands for a value."""
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
        data = text.encode("utf-8", "surrogatepass")
        return f"<redacted {hashlib.blake2b(data, key=self._key, digest_size=2).hexdigest()}>"

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        data = text.encode("utf-8", "surrogatepass")
        clean = self._bytes(data)
        return text if clean is data else clean.decode("utf-8", "surrogatepass")

    def value(self, value: Any) -> Any:
        """Return a value of JSON types without secrets."""
        try:
            return self._walk(value, frozenset())
        except RecursionError:
            return self.placeholder(repr(type(value)))

    def url(self, url: str) -> str:
        """Return a URL, or a text with URLs, without secrets and the values of named parameters."""
        if self._queries is not None and "=" in url:
            url = self._queries.sub(lambda found: found[1] + quote(self.placeholder(found[2])), url)
        data = url.encode("utf-8", "surrogatepass")
        clean = without_secrets(data, lambda secret: quote(self.placeholder(secret.decode("latin-1"))).encode())
        return url if clean is data else clean.decode("utf-8", "surrogatepass")

    def headers(self, headers: Headers) -> Headers:
        """Return a header with the values of named fields blanked, and the others without secrets."""
        return tuple((name, REDACTED if name.lower() in self.names else self._value(value)) for name, value in headers)

    def difference(self, difference: Difference) -> Difference:
        """Return a difference whose values are those of redacted responses."""
        path = difference.path
        kind, _, name = path.partition(":")
        if kind.lower() == "header" and self._named(name.lower().encode("utf-8", "replace")):
            shown: Any = REDACTED.decode()
            values = tuple(None if each is None else shown for each in _sides(difference))
        elif kind == "form" and name in self._forms:
            values = tuple(None if each is None else self.placeholder(each) for each in _sides(difference))
        else:
            states = self._below(self._start, path) if path.startswith("$") else frozenset()
            values = tuple(None if each is None else self._shown(each, states) for each in _sides(difference))
        if values == _sides(difference):
            return difference
        return replace(difference, primary=values[0], shadow=values[1])

    def _named(self, name: bytes) -> bool:
        """Whether a path is that of a named field, or below it, as in grpc-status-details-bin."""
        return name in self.names or any(name.startswith((each + b".", each + b"[")) for each in self.names)

    def translation(self, translation: Translation) -> Translation:
        """Return what was translated in a request, with the values that a redacted request has."""
        kind, _, name = translation.where.partition(":")
        path = "header:cookie" if kind == "cookie" else translation.where.partition(" ")[0]
        texts = translation.primary, translation.shadow
        if kind == "query" and self._queries is not None:
            shown: list[object] = [self.url(f"?{quote(name)}={text}").partition("=")[2] for text in texts]
        else:
            difference = self.difference(Difference(path, "value", *texts))
            shown = [difference.primary, difference.shadow]
        return translation._replace(primary=str(shown[0]), shadow=str(shown[1]))

    # Bodies

    def message(self, headers: Headers, body: bytes | None, *, whole: bool = True) -> tuple[Headers, bytes | None]:
        """Return header and body of a message to be recorded. None: the body was not kept, or is withheld.

        A body from which something was left out has no content coding any more, and its header fields say so.
        """
        clean = self.headers(headers)
        if not body:
            return clean, body
        codings = ",".join(value.decode("latin-1") for name, value in headers if name.lower() == b"content-encoding")
        plain = body
        if codings:
            try:
                plain, complete = undo(body, codings, 4 * MAX_PARSED)
            except CodingError:
                return clean, None if self._paths or self._forms else body
            whole = whole and complete
        kind = b",".join(value for name, value in headers if name.lower() == b"content-type").lower()
        found = self._body(plain, kind, whole)
        if found == plain:
            return clean, body
        if found is None:
            return clean, None
        return tuple(
            (name, b"%d" % len(found) if name.lower() == b"content-length" else value)
            for name, value in clean
            if name.lower() != b"content-encoding"
        ), found

    def _body(self, body: bytes, kind: bytes, whole: bool) -> bytes | None:
        """Return a body without its coding; None: it is withheld."""
        if self._paths and (b"application/grpc" in kind or b"proto" in kind):
            return None  # messages have these fields too, but are not written anew without them
        is_json = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
        if self._paths and (is_json or b"json" in kind or b"event-stream" in kind):
            if not whole or len(body) > MAX_PARSED:
                return None
            return self._documents(body, lines=b"event-stream" in kind or not is_json)
        if self._forms and (b"x-www-form-urlencoded" in kind or b"multipart/form-data" in kind):
            if not whole or len(body) > MAX_PARSED:
                return None
            body = self._form(body, kind)
        clean = self._bytes(body)
        if is_json and clean != body and len(body) <= MAX_PARSED:
            return self._documents(body, lines=False) or clean  # a number is replaced by a string, in quotes
        return clean

    def _documents(self, body: bytes, *, lines: bool) -> bytes | None:
        """Return a JSON document, or a text that has one in each of its lines."""
        if not lines:
            try:
                document = json.loads(body.decode("utf-8-sig", "surrogatepass"))
                clean = self._walk(document, self._start)
            except (ValueError, RecursionError):
                return self._documents(body, lines=True) if b"\n" in body.strip() else None
            if clean == document:
                return body
            return json.dumps(clean, ensure_ascii=False).encode("utf-8", "surrogatepass")
        withheld = False

        def replaced(found: re.Match[bytes]) -> bytes:
            nonlocal withheld
            clean = self._documents(found[2].rstrip(b"\r"), lines=False)
            withheld = withheld or clean is None
            return found[1] + (clean or b"")

        text = self._bytes(_LINE.sub(replaced, body))
        return None if withheld else text

    def _form(self, body: bytes, kind: bytes) -> bytes:
        if b"multipart" in kind:
            for field in self._forms:
                head = (
                    rb'(?i)(\bname="?' + re.escape(field.encode()) + rb'"?(?:;[^\r\n]*)?\r?\n(?:[^\r\n]+\r?\n)*\r?\n)'
                )
                body = re.sub(head + rb"(?s:(.*?))(?=\r?\n--)", self._part, body)
            return body
        assert self._fields is not None
        text = self._fields.sub(lambda found: found[1] + quote(self.placeholder(found[2])), body.decode("latin-1"))
        return text.encode("latin-1")

    def _part(self, found: re.Match[bytes]) -> bytes:
        return found[1] + self.placeholder(found[2].decode("latin-1")).encode()

    def _walk(self, value: Any, states: States) -> Any:
        """Return a document without what the states select. Raises RecursionError."""
        if any(position == len(self._paths[number].steps) for number, position in states):
            return self.placeholder(value)
        if isinstance(value, dict):
            return {self.text(key): self._walk(item, self._step(states, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._walk(item, self._step(states, index)) for index, item in enumerate(value)]
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**20:
            number = str(value)
            clean = self.text(number)
            return value if clean == number else clean
        return value

    def _step(self, states: States, key: Key) -> States:
        """Return the states one step below. As in `paths.Place`."""
        found = set()
        for number, position in states:
            step = self._paths[number].steps[position]
            if step.deep:
                found.add((number, position))
            if step.key is None or step.key == key or key == "*":
                found.add((number, position + 1))
        return frozenset(found)

    def _below(self, states: States, path: str) -> States:
        """Return the states at a path of a difference, in which `[*]` is any index. What is selected stays so."""
        for name, quoted, index in _STEP.findall(path[1:]):
            if any(position == len(self._paths[number].steps) for number, position in states):
                return states
            if index:
                states = self._step(states, "*" if index == "*" else int(index))
            else:
                states = self._step(states, name or re.sub(r"\\(.)", r"\1", quoted))
        return states

    def _shown(self, value: Any, states: States) -> Any:
        """Return a value of a difference. A list or object that is shown in part is replaced if it may hold what is
        named."""
        if states and isinstance(value, str) and _SHORTENED.match(value):
            return self.placeholder(value)
        return self._walk(value, states)

    def _bytes(self, data: bytes) -> bytes:
        return without_secrets(data, lambda secret: self.placeholder(secret.decode("latin-1")).encode())

    def _value(self, value: bytes) -> bytes:
        if self._queries is not None and b"=" in value:
            return self.url(value.decode("latin-1")).encode("latin-1")
        return self._bytes(value)


def check_entry(entry: str) -> bool:
    """Return whether an entry is `$.path`, `form:FIELD` or `query:NAME`; False for what may be a header name. Raises
    PathError, whose message says what to write."""
    if entry.startswith("$"):
        if not pattern(entry).steps:
            raise PathError(f"{entry!r} is the whole body; name a member, as in $.user.password or $..password")
        return True
    kind, colon, name = entry.partition(":")
    if colon and kind in ("form", "query"):
        if not name.strip():
            raise PathError(f"{entry!r} names nothing; write {kind}:NAME")
        return True
    return False


def _parameters(names: set[str]) -> re.Pattern[str] | None:
    """A pattern of the parameters of these names, with what stands before the value and the value as groups."""
    if not names:
        return None
    each = "|".join(re.escape(name) for name in sorted({*names, *(quote(name) for name in names)}))
    return re.compile(rf"((?:^|[?&#;])(?:{each})=)([^&#;\s]+)", re.IGNORECASE)


def _sides(difference: Difference) -> tuple[Any, Any]:
    return difference.primary, difference.shadow


NOTHING = Redaction()
"""Leaves out secrets only."""
