"""Header fields whose elements have parameters: in one spelling, whatever their order, case, quotes and white space.

Structured fields (RFC 9651), Link (RFC 8288), Alt-Svc (RFC 7838), challenges (RFC 9110 11.6.1). Of each the elements
come in, as text, and go out as text: two fields mean the same if the texts that come out are equal.
"""

from __future__ import annotations

import re
from urllib.parse import quote
from urllib.parse import unquote_to_bytes

_PIECE = re.compile(r'(?:[^";<(]|"(?:[^"\\]|\\.|\\\Z)*(?:"|\Z)|<[^>]*(?:>|\Z)|\([^)]*(?:\)|\Z))+', re.DOTALL)
"""What stands between semicolons. Quoted strings, URIs and inner lists may have some in them."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SIMPLE = re.compile(r"""[^\s",;=()<>\\]+""")
"""A text that means the same with quotes around it and without."""
_CHALLENGE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:[ \t]+(.*))?", re.DOTALL)
_EXTENDED = re.compile(r"([0-9A-Za-z_-]{1,40})'([0-9A-Za-z-]{0,40})'(.*)", re.DOTALL)
_WORDS = frozenset({"rel", "rev"})
"""Parameters of Link that are sets of relation types, whose case does not matter (RFC 8288 2.1.1, 3.3)."""

Values = list[str]


def pieces(text: str) -> Values:
    """What stands between the semicolons of an element, without empty pieces."""
    found = _PIECE.findall(text) if '"' in text or "<" in text or "(" in text else text.split(";")
    return [piece for each in found if (piece := each.strip(" \t"))]


def unquoted(text: str) -> str:
    """A quoted string without its quotes, where these say nothing."""
    if len(text) > 1 and text[0] == text[-1] == '"' and _SIMPLE.fullmatch(text[1:-1]):
        return text[1:-1]
    return text


def parameter(text: str) -> str:
    """One parameter in one spelling; `name*` (RFC 8187) without regard to the case of charset and escapes."""
    name, equals, value = text.partition("=")
    name, value = name.strip(" \t").lower(), unquoted(value.strip(" \t"))
    if name in _WORDS:
        value = " ".join(sorted(set(value.strip('"').lower().split())))
    elif name.endswith("*"):
        value = extended(value)
    return f"{name}{equals}{value}"


def extended(value: str) -> str:
    """The value of a parameter `name*` in one spelling (RFC 8187 3.2.1)."""
    found = _EXTENDED.fullmatch(value)
    if found is None:
        return value
    return f"{found[1].lower()}'{found[2].lower()}'{quote(unquote_to_bytes(found[3]))}"


def with_parameters(element: str) -> str:
    """An element and its parameters, in whatever order these are."""
    first, *others = pieces(element) or [""]
    return "; ".join([first, *sorted(map(parameter, others))])


def member(element: str) -> str:
    """A member of a dictionary (RFC 9651 3.2): `i` is `i=?1`, and an inner list that only names things is a set."""
    first, *others = pieces(element) or [""]
    name, equals, value = first.partition("=")
    name, value = name.strip(" \t"), value.strip(" \t")
    if not equals:
        value = "?1"
    elif value.startswith("(") and value.endswith(")"):
        value = f"({' '.join(sorted(value[1:-1].split()))})"
    return "; ".join([f"{name}={value}", *sorted(map(parameter, others))])


def dictionary(members: Values) -> Values:
    """The members of a dictionary; of those of one name the last counts (RFC 9651 4.2.2)."""
    by_name = {each.partition("=")[0].strip(" \t"): each for each in map(member, members)}
    return sorted(by_name.values())


def challenges(parts: Values) -> Values:
    """Challenges in their order: scheme in lower case, then its parameters (RFC 9110 11.3, 11.6.1)."""
    found: list[tuple[str, Values]] = []
    for part in parts:
        challenge = _CHALLENGE.fullmatch(part)
        rest = (challenge[2] or "").strip(" \t") if challenge else ""
        if challenge is not None and not rest.startswith("="):
            found.append((challenge[1].lower(), [rest] if rest else []))
        elif found:
            found[-1][1].append(part)
        else:
            found.append(("", [part]))
    return [" ".join(filter(None, (scheme, ", ".join(sorted(map(_of_challenge, rest)))))) for scheme, rest in found]


def _of_challenge(text: str) -> str:
    name, equals, _ = text.partition("=")
    if not equals or not _TOKEN.fullmatch(name.strip(" \t")) or text.rstrip("=") == name:
        return text  # credentials such as `abc==`, whose case matters
    return parameter(text)
