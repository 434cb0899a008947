"""The causes of the differences of a pair: what differs in one way over all endpoints is one finding.

Theory of operation. A `Symptom` is a difference without its values: path, kind and direction of the change. In the path
indices are `[*]` and members named as ids are `*`; the direction is `2xx -> 500` of a status, `number -> string` of a
type, the name of a cookie. A symptom is a cause, unless another one of the same pair explains it (`causes`):

- another status explains the rest of the response, unless both are successes with content or both redirections;
- a body in another format, or none, explains Content-Type;
- a list that lost or got elements explains its length, and elements that were replaced are one cause;
- a renamed member is missing under one name and extra under the other, with the same telling value;
- another body explains its digests.

A difference between the calls that both sides made (`calls`) is always a cause of its own.

The id of a cause is a hash of it, so it is the same from run to run. Text and bytes have no paths: only there the
endpoint is a part of the cause.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from typing import NamedTuple
from typing import Protocol

from mirror_addon.compare.endpoint import is_id
from mirror_addon.compare.twin_values import PRIMARY_ID

_STEP = re.compile(r"\.(?P<name>[^\W\d]\w*)|\['(?P<quoted>(?:[^'\\]|\\.)*)'\]")
_FORMATS = re.compile(r"[a-z][a-z ]{1,20}(?=: )")
"""How `bodies` begins the values of two bodies in different formats."""
ID = re.compile(r"f[0-9a-f]{8}")
"""The form of the id of a finding."""
_NO_CONTENT = ("204", "205")
_DIGESTS = frozenset(
    f"header:{name}" for name in ("etag", "digest", "content-md5", "content-digest", "repr-digest", "x-checksum")
)
_SET_COOKIE = "header:set-cookie"
CALL = "call"
"""The kind of a difference between the calls that both sides made to other services (`calls`)."""
_LONGEST = 500
_LONGEST_WORD = 60
"""Characters of a path, and of a kind or a change."""
_WORDS = {PRIMARY_ID: "is the primary's id, not the mirror's own"}
"""Kinds of differences whose names say too little."""
_TELLING_TEXT = 4
_TELLING_NUMBER = 1000


class Differing(Protocol):
    """A Difference, or one in a line of a record."""

    @property
    def path(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def primary(self) -> Any: ...
    @property
    def shadow(self) -> Any: ...
    @property
    def where(self) -> str: ...


class Symptom(NamedTuple):
    """A way in which a pair differs. `renamed`: the path under which the value of an extra member is missing."""

    path: str
    kind: str
    change: str = ""
    renamed: str = ""


class Cause(NamedTuple):
    """The cause of one finding. `endpoint`: empty, except for text and bytes."""

    path: str
    kind: str
    change: str = ""
    endpoint: str = ""

    @property
    def id(self) -> str:
        return _id(self)

    @property
    def title(self) -> str:
        """`$.items[*].tax missing`, `status 2xx -> 500`, `$.price number -> string`."""
        if self.path == "status" and self.change:
            return f"status {self.change}"
        if self.kind == CALL:
            return f"{self.path} {self.change or 'value'}"
        what = self.change if self.kind == "type" and self.change else _WORDS.get(self.kind, self.kind)
        if self.path == _SET_COOKIE and self.change:
            what = f"{self.change}: {self.kind}"
        return f"{self.path} {what}" + (f" at {self.endpoint}" if self.endpoint else "")


@lru_cache(maxsize=1024)
def _id(cause: Cause) -> str:
    return "f" + hashlib.sha256("\0".join(cause).encode("utf-8", "surrogatepass")).hexdigest()[:8]


def symptoms(differences: Iterable[Differing]) -> list[Symptom]:
    """The symptoms of the differences of one pair, in their order."""
    differences = tuple(differences)
    missing = [each for each in differences if each.kind == "missing" and _is_telling(each.primary)]
    found = []
    for each in differences:
        renamed = ""
        if missing and each.kind == "extra":
            renamed = next((other.path for other in missing if _is_renamed(other, each)), "")
        found.append(
            Symptom(
                general(each.path[:_LONGEST]), each.kind[:_LONGEST_WORD], _change(each), general(renamed[:_LONGEST])
            )
        )
    return found


def causes(found: Iterable[Symptom], endpoint: str) -> dict[Symptom, Cause]:
    """The cause of each symptom of one pair. `endpoint`: that of the pair."""
    symptoms = dict.fromkeys(found)
    status = next((each for each in symptoms if each.path == "status"), None)
    if status is not None and _explains_all(status.change):
        return {each: _cause(each if each.kind == CALL else status, endpoint) for each in symptoms}
    return {each: _cause(_explanation(each, symptoms), endpoint) for each in symptoms}


def shown_symptoms(explained: dict[Symptom, Cause]) -> dict[Cause, Symptom]:
    """Of each cause in the result of `causes` the symptom to show: its own one if that is there."""
    shown: dict[Cause, Symptom] = {}
    for symptom, cause in explained.items():
        if cause not in shown or symptom[:3] == cause[:3]:
            shown[cause] = symptom
    return shown


def ids_of(differences: Iterable[Differing], endpoint: str) -> list[str]:
    """The id of the finding that each difference of a pair belongs to."""
    explained = causes(found := symptoms(differences), endpoint)
    return [explained[each].id for each in found]


def causes_of(differences: Iterable[Differing], endpoint: str) -> list[Cause]:
    """The causes of the differences of one pair, each once."""
    return list(dict.fromkeys(causes(symptoms(differences), endpoint).values()))


@lru_cache(maxsize=4096)
def general(path: str) -> str:
    """The path with `*` for each member of a JSONPath whose name is an id."""
    return _STEP.sub(_general_step, path) if path.startswith("$") else path


def _general_step(step: re.Match[str]) -> str:
    return ".*" if is_id(step["name"] or step["quoted"] or "") else step[0]


def _cause(symptom: Symptom, endpoint: str) -> Cause:
    without_path = symptom.path == "body" and symptom.kind not in ("type", "missing", "extra")
    return Cause(symptom.path, symptom.kind, symptom.change, endpoint if without_path else "")


def _explanation(symptom: Symptom, among: dict[Symptom, None]) -> Symptom:
    """The symptom that explains this one, or itself."""
    path, kind = symptom.path, symptom.kind
    if kind == "length":
        return _first(among, f"{path}[*]", ("missing", "extra")) or symptom
    if kind == "extra" and path.endswith("[*]"):
        return _first(among, path, ("missing",)) or symptom
    if symptom.renamed:
        return _first(among, symptom.renamed, ("missing",)) or symptom
    if path == "header:content-type":
        return _first(among, "body", ("type", "missing", "extra")) or symptom
    if path in _DIGESTS and kind == "value":
        return next((_explanation(each, among) for each in among if _is_of_body(each.path)), symptom)
    return symptom


def _first(among: Iterable[Symptom], path: str, kinds: tuple[str, ...]) -> Symptom | None:
    return next((each for kind in kinds for each in among if each.path == path and each.kind == kind), None)


def _is_of_body(path: str) -> bool:
    return path == "body" or path[:1] in ("$", "/") or path.startswith("form:")


def _explains_all(change: str) -> bool:
    """Whether a change of the status, `2xx -> 500`, explains whatever else differs."""
    before, _, after = change.partition(" -> ")
    successes = before == "2xx" and after[:1] == "2" and after not in _NO_CONTENT
    return not (successes or (before == "3xx" and after[:1] == "3"))


def _change(difference: Differing) -> str:
    if difference.path == "status":
        before = difference.primary
        group = f"{before // 100}xx" if isinstance(before, int) else "none"
        return f"{group} -> {difference.shadow}"[:_LONGEST_WORD]
    if difference.kind == CALL:
        return "missing" if difference.shadow is None else "extra" if difference.primary is None else ""
    if difference.kind == "type":
        name = _format if difference.path == "body" else _type
        return f"{name(difference.primary)} -> {name(difference.shadow)}"
    if difference.path == _SET_COOKIE:
        return difference.where.removeprefix(_SET_COOKIE).strip("[]")[:_LONGEST_WORD]
    return ""


def _type(value: Any) -> str:
    """The JSON type of a value as a difference shows it (`values.shown`)."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        if value.endswith("…") and value[:1] in ("{", "["):
            return "object" if value[0] == "{" else "array"
        return "string"
    return "object" if isinstance(value, dict) else "array"


def _format(body: Any) -> str:
    format = _FORMATS.match(body) if isinstance(body, str) else None
    return format[0] if format else ""


def _is_renamed(missing: Differing, extra: Differing) -> bool:
    same = type(missing.primary) is type(extra.shadow) and missing.primary == extra.shadow
    return same and _parent(missing.where) == _parent(extra.where)


def _parent(path: str) -> str:
    return path[: max(path.rfind("."), path.rfind("["), path.rfind("/"))]


def _is_telling(value: Any) -> bool:
    """Whether two equal values of this kind are hardly equal by chance."""
    if isinstance(value, str):
        return len(value) >= _TELLING_TEXT
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) >= _TELLING_NUMBER
    return isinstance(value, float | dict | list) and bool(value)
