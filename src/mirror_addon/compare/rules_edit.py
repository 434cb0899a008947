"""Add rules for findings to the text of a `compare.yaml`, and remove them again.

The text is edited as text: the YAML is composed to learn where the list of rules ends or a rule stands, and lines are
inserted or removed there. So comments, quotes, order and alignment of the rest stay as they are, which a YAML library
does not promise when it writes a file. What was edited is parsed again before it is returned.
"""

from __future__ import annotations

import difflib
from dataclasses import replace

import yaml

from mirror_addon.compare.causes import Cause
from mirror_addon.compare.paths import PathError
from mirror_addon.compare.paths import pattern
from mirror_addon.compare.rules import Rules
from mirror_addon.compare.rules import RulesError

_ACCEPTED = "accepted"
_COMMENTS = ("# accepted by ", "# ignored by ")


def rule_lines(cause: Cause, *, ignore: bool = False) -> list[str]:
    """The rule that accepts a finding, or that ignores its path everywhere, as lines of an item of a list.

    Raises RulesError for a finding without a path.
    """
    try:
        pattern(cause.path)
    except PathError:
        raise RulesError(f"{cause.id} has no path that a rule can name ({cause.path}); look at its pairs") from None
    lines = [f"- path: {_quoted(cause.path)}"]
    if ignore:
        lines.append("  ignore: true")
    return [*lines, f"  {_ACCEPTED}: {cause.id}"]


def rule_line(cause: Cause) -> str:
    """The same rule on one line: `- {path: '$.a[*]', accepted: f0123abcd}`. Raises RulesError."""
    rule = yaml.safe_load("\n".join(rule_lines(cause)))[0]
    text = yaml.safe_dump(rule, default_flow_style=True, sort_keys=False, allow_unicode=True, width=100_000)
    return f"- {text.strip()}"


def with_rule(text: str, source: str, cause: Cause, who: str, when: str, *, ignore: bool = False) -> str:
    """The text with a rule that accepts (or ignores) a finding, and a comment on who wrote it and when.

    Raises RulesError if the text has errors, has a rule for the finding, or has its rules in brackets. `source`: the
    name of the file, for messages.
    """
    before = Rules.parse(text, source)
    if cause.id in before.accepted:
        raise RulesError(f"{source}: there is a rule for {cause.id} already")
    comment = f"{_COMMENTS[ignore]}{_printable(who)}, {_printable(when)}: {_printable(cause.title)}"
    made = _inserted(text, source, [comment, *rule_lines(cause, ignore=ignore)])
    after = Rules.parse(made, source)
    if after.accepted != before.accepted | {cause.id} or after.rules[: len(before.rules)] != before.rules:
        raise RulesError(f"{source}: the rule cannot be added here; add it by hand: {'; '.join(rule_lines(cause))}")
    return made


def without_rule(text: str, source: str, id: str) -> str:
    """The text without the rule for a finding, and without the comment that `with_rule` wrote above it. The key `rules`
    stays, without a value if that was the only one.

    Raises RulesError if the text has errors, or if there is no rule for this finding alone.
    """
    before = Rules.parse(text, source)
    if id not in before.accepted:
        near = difflib.get_close_matches(id[:20], before.accepted, 1)
        raise RulesError(f"{source}: no rule accepts {id[:20]!r}" + (f"; did you mean {near[0]}?" if near else ""))
    rules = _rules_of(text)
    lines = text.splitlines(keepends=True)
    for item in rules.value if isinstance(rules, yaml.SequenceNode) and not rules.flow_style else ():
        if not item.flow_style and _value(item, _ACCEPTED) == id:
            first, last = item.start_mark.line, _last_line(item)
            if first and lines[first - 1].lstrip().startswith(_COMMENTS):
                first -= 1
            made = "".join(lines[:first] + lines[last + 1 :])
            after = Rules.parse(made, source)
            if after == replace(before, rules=after.rules, accepted=before.accepted - {id}):
                return made
    raise RulesError(f"{source}: the rule for {id} is written in another way than by this program; remove it by hand")


def difference(before: str, after: str, source: str) -> str:
    """What changes from one text to another, as a unified diff."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), source, source, n=2, lineterm="")
    return "\n".join(lines)


def _inserted(text: str, source: str, rule: list[str]) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += newline
    document = yaml.compose(text, Loader=yaml.SafeLoader)
    rules = _rules_of(text)
    indent, at = 2, len(lines)
    if rules is None:
        if isinstance(document, yaml.MappingNode) and document.flow_style:
            raise RulesError(f"{source}:{document.start_mark.line + 1}: is written in braces; write `rules:` on a line")
        rule = ["rules:", *(f"  {line}" for line in rule)]
        indent = 0
        if document is not None:
            at = _last_line(document) + 1
    elif isinstance(rules, yaml.SequenceNode) and not rules.flow_style:
        indent, at = rules.start_mark.column, _last_line(rules.value[-1]) + 1
    elif isinstance(rules, yaml.SequenceNode) or rules.value:
        line = rules.start_mark.line + 1
        raise RulesError(f"{source}:{line}: `rules` is written in brackets; write each rule on a line, after `- `")
    else:
        at = _line_of_key(text) + 1
    return "".join([*lines[:at], *(f"{' ' * indent}{line}{newline}" for line in rule), *lines[at:]])


def _rules_of(text: str) -> yaml.Node | None:
    """The node of `rules`, or None."""
    document = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(document, yaml.MappingNode):
        return None
    found: yaml.Node | None = next((value for key, value in document.value if key.value == "rules"), None)
    return found


def _line_of_key(text: str) -> int:
    document = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(document, yaml.MappingNode)
    line: int = next(key.start_mark.line for key, _ in document.value if key.value == "rules")
    return line


def _last_line(node: yaml.Node) -> int:
    """The number of the last line of a node, from 0. The end of a block is marked after the comments below it."""
    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return max(map(_last_line, last)) if isinstance(last, tuple) else _last_line(last)
    mark = node.end_mark
    line: int = mark.line
    return line - 1 if mark.column == 0 and line > node.start_mark.line else line


def _value(item: yaml.MappingNode, name: str) -> str | None:
    return next((value.value for key, value in item.value if key.value == name), None)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)[:300]


def _quoted(path: str) -> str:
    """The path as a YAML scalar on one line."""
    return str(yaml.safe_dump(path, allow_unicode=True, width=10 * len(path) + 10)).splitlines()[0]
