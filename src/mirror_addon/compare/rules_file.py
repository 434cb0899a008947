"""Parse `compare.yaml`.

The YAML is composed into nodes and not loaded into values, because nodes have the line numbers for error messages.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable
from collections.abc import Iterator
from itertools import islice
from typing import Any
from typing import NamedTuple

import re2
import yaml

from mirror_addon.compare.causes import ID
from mirror_addon.compare.path_rule import PathRule
from mirror_addon.compare.path_rule import RulesError
from mirror_addon.compare.path_rule import endpoint_parts
from mirror_addon.compare.paths import PathError
from mirror_addon.compare.paths import pattern
from mirror_addon.compare.values import short

_MAX_TEXT = 1024 * 1024
_MAX_RULES = 1000
_TRUE = ("true", "yes", "on")
_FALSE = ("false", "no", "off")
_WHAT = ("ignore", "presence", "regex", "tolerance", "unordered")
_ACCEPTED = "accepted"
_WHERE = ("path", "header")
_WHOSE = ("endpoint", "method", "url")
_METHOD = re.compile(r"[A-Za-z-]+")


class _Read(NamedTuple):
    rules: tuple[PathRule, ...]
    shapes: bool = True
    relative: float = 0.2
    absolute: float = 0.0003
    accepted: frozenset[str] = frozenset()


def read_rules(text: str, source: str) -> _Read:
    """Parse the text of a file: the rules, whether known shapes are noise, the thresholds, and the ids of accepted
    findings. Raises RulesError.

    `source`: the name of the file, for messages.
    """
    if len(text) > _MAX_TEXT:
        raise RulesError(f"{source}:1: is longer than {_MAX_TEXT} characters; name a file of comparison rules")
    try:
        document = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        what = error.problem or error.context or "cannot be read"
        raise RulesError(f"{source}:{line}: is not YAML: {what}; correct it") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise RulesError(f"{source}:{line}: is not YAML: {error.reason}; remove that character") from None
    except RecursionError:
        raise RulesError(f"{source}:1: is nested too deep; write each rule as a mapping of simple values") from None
    return _RulesReader(source).file(document)


class _RulesReader:
    def __init__(self, source: str) -> None:
        self._source = source
        self._accepted: set[str] = set()

    def _error(self, node: yaml.Node, message: str) -> RulesError:
        return RulesError(f"{self._source}:{node.start_mark.line + 1}: {message}")

    def file(self, document: yaml.Node | None) -> _Read:
        if document is None or _is_null(document):
            return _Read(())
        fields = self._fields(document, "the file", ("rules", "noise"))
        rules: tuple[PathRule, ...] = ()
        if (node := fields.get("rules")) is not None and not _is_null(node):
            if not isinstance(node, yaml.SequenceNode):
                raise self._error(node, "`rules` must be a list; begin each rule with `- `")
            rules = tuple(islice((rule for each in node.value for rule in self._rule(each)), _MAX_RULES + 1))
            if len(rules) > _MAX_RULES:
                raise self._error(node, f"more than {_MAX_RULES} rules; merge some with `..` and `[*]`")
        if (node := fields.get("noise")) is not None and not _is_null(node):
            return self._noise(node, rules)
        return _Read(rules, accepted=frozenset(self._accepted))

    def _noise(self, node: yaml.Node, rules: tuple[PathRule, ...]) -> _Read:
        fields = self._fields(node, "`noise`", ("shapes", "relative", "absolute"))
        read = _Read(rules, accepted=frozenset(self._accepted))
        if "shapes" in fields:
            read = read._replace(shapes=self._switch(fields["shapes"], "shapes"))
        for name in ("relative", "absolute"):
            if name in fields:
                share = self._share(fields[name], name)
                read = read._replace(relative=share) if name == "relative" else read._replace(absolute=share)
        return read

    def _rule(self, node: yaml.Node) -> Iterator[PathRule]:
        """The rules of one item of the list: one for each of its paths."""
        fields = self._fields(node, "a rule", (*_WHERE, *_WHAT, _ACCEPTED, *_WHOSE))
        what = [name for name in _WHAT if name in fields]
        if len(what) > 1 or not (what or _ACCEPTED in fields):
            found = " and ".join(what) or f"none, and no {_ACCEPTED}"
            raise self._error(node, f"a rule needs one of {', '.join(_WHAT)}; it has {found}")
        if ("path" in fields) == ("header" in fields):
            problem = "has both `path` and `header`" if "path" in fields else "has neither `path` nor `header`"
            raise self._error(node, f"a rule {problem}; write `path: $.a.b`, `path: status` or `header: NAME`")
        if _ACCEPTED in fields:
            self._accept(fields, what)
        effect = self._effect(what[0], fields[what[0]]) if what else {}
        if effect is None:
            return
        requests = self._requests(fields)
        where, prefix = (fields["path"], "") if "path" in fields else (fields["header"], "header:")
        for each in self._texts(where, "path" if not prefix else "header"):
            try:
                place = pattern(prefix + self._text(each, "path"))
            except PathError as error:
                raise self._error(each, str(error)) from None
            if what:
                yield PathRule(place, **effect, **requests)

    def _accept(self, fields: dict[str, yaml.Node], what: list[str]) -> None:
        """Note the ids of the findings that a rule accepts."""
        for each in self._texts(fields[_ACCEPTED], _ACCEPTED):
            id = self._text(each, _ACCEPTED)
            if not ID.fullmatch(id):
                how = "write the id of a finding, as a report shows it: f and 8 hexadecimal digits"
                raise self._error(each, f"{short(id, 40)!r} is not a finding; {how}")
            if not what and (whose := [name for name in _WHOSE if name in fields]):
                how = f"remove `{whose[0]}`, or add `ignore: true` to ignore the path there"
                raise self._error(each, f"a finding is accepted at all endpoints; {how}")
            self._accepted.add(id)

    def _effect(self, name: str, node: yaml.Node) -> dict[str, Any] | None:
        """The fields of PathRule that say what does not count. None if switched off, as by `ignore: false`."""
        if name == "regex":
            return {"regex": self._regex(node, name)}
        if name == "tolerance":
            return self._tolerance(node)
        if name == "unordered" and isinstance(node, yaml.MappingNode):
            key = self._fields(node, "`unordered`", ("key",)).get("key")
            if key is None:
                raise self._error(node, "`unordered` has no key; write `unordered: true` or `unordered: {key: id}`")
            return {"unordered": True, "key": self._text(key, "key")}
        return {name: True} if self._switch(node, name) else None

    def _tolerance(self, node: yaml.Node) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            text = self._text(node, "tolerance")
            name = "relative" if text.endswith("%") else "absolute"
            return {name: self._positive(node, text)}
        fields = self._fields(node, "`tolerance`", ("absolute", "relative"))
        if not fields:
            raise self._error(node, "`tolerance` is empty; write `tolerance: 0.01` or `tolerance: 1%`")
        return {name: self._positive(each, self._text(each, name)) for name, each in fields.items()}

    def _positive(self, node: yaml.Node, text: str) -> float:
        number = _number(text)
        if number is None or number <= 0:
            raise self._error(node, f"{short(text, 40)!r} is not a tolerance; write a number above 0 or a percentage")
        return number

    def _requests(self, fields: dict[str, yaml.Node]) -> dict[str, Any]:
        """The fields of PathRule that select requests."""
        requests: dict[str, Any] = {}
        if (node := fields.get("endpoint")) is not None:
            endpoint = self._text(node, "endpoint")
            if not endpoint_parts(endpoint)[1]:
                how = "write it as `GET /users/{id}`, or `POST /graphql GetUser`"
                raise self._error(node, f"{short(endpoint, 60)!r} is not an endpoint; {how}")
            requests["endpoint"] = " ".join(endpoint.split())
        if (node := fields.get("method")) is not None:
            methods = [self._text(each, "method").upper() for each in self._texts(node, "method")]
            for method in methods:
                if not _METHOD.fullmatch(method):
                    raise self._error(node, f"{short(method, 40)!r} is not a method; write GET, or [GET, HEAD]")
            requests["methods"] = frozenset(methods)
        if (node := fields.get("url")) is not None:
            requests["url"] = self._regex(node, "url")
        return requests

    def _regex(self, node: yaml.Node, name: str) -> Any:
        text = self._text(node, name)
        options = re2.Options()
        options.log_errors = False
        try:
            return re2.compile(text, options)
        except re2.error as error:
            what = error.args[0] if error.args else ""
            what = what.decode("utf-8", "replace") if isinstance(what, bytes) else str(what)
            raise self._error(node, f"`{name}` is not a valid RE2 regex: {what}; correct it") from None

    def _fields(self, node: yaml.Node, what: str, known: tuple[str, ...]) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            raise self._error(node, f"{what} must be a mapping; it has {', '.join(known)}")
        fields: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name not in known:
                near = difflib.get_close_matches(name[:60], known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"{what} has {', '.join(known)}"
                raise self._error(key, f"unknown key {short(str(name), 60)!r}; {hint}")
            if name in fields:
                raise self._error(key, f"duplicate key {name!r}; keep one")
            fields[name] = value
        return fields

    def _texts(self, node: yaml.Node, name: str) -> list[yaml.Node]:
        """The items of a list, or a single value as the only one."""
        if not isinstance(node, yaml.SequenceNode):
            return [node]
        if not node.value or len(node.value) > _MAX_RULES:
            raise self._error(node, f"`{name}` has {len(node.value)} items; write 1 to {_MAX_RULES}")
        return list(node.value)

    def _text(self, node: yaml.Node, name: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or _is_null(node) or not node.value.strip():
            raise self._error(node, f"`{name}` must be text that is not empty")
        return str(node.value).strip()

    def _switch(self, node: yaml.Node, name: str) -> bool:
        text = self._text(node, name).lower()
        if text not in (*_TRUE, *_FALSE):
            raise self._error(node, f"`{name}` is {short(text, 40)!r}; write true or false")
        return text in _TRUE

    def _share(self, node: yaml.Node, name: str) -> float:
        text = self._text(node, name)
        number = _number(text)
        if number is None or not 0 <= number <= 1 or not text.endswith("%"):
            raise self._error(node, f"`{name}` is {short(text, 40)!r}; write a percentage, as in 0.03%")
        return number


def _number(text: str) -> float | None:
    """A number, or a percentage as a share."""
    convert: Callable[[str], float] = float
    try:
        number = convert(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"
