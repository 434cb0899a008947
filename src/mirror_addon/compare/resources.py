"""Which thing an id is of: of an order, by its name (`orderId`), by what it stands in (`$.order.id`, `/orders/7`), or
by the endpoint that it comes from (`POST /orders`)."""

from __future__ import annotations

import re
from functools import lru_cache

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_STEP = re.compile(r"\['((?:[^'\\]|\\.)*)'\]|([^.\[\]/:$]+)|\[\*\]")
_IDS = frozenset({"id", "ids", "pk", "uid"})
_NUMBERS = frozenset({"number", "no", "nr"})
"""Numbers that people read: `orderNumber`. They are counted apart from ids."""
_WRAPPERS = frozenset(
    (
        "data", "result", "response", "payload", "attribute", "content", "body", "record", "list", "embedded", "node",
        "edge", "value", "row", "object", "entity", "resource", "self", "x", "text()", "form", "header",
        "parent", "ref", "reference", "related", "next", "prev", "previous", "last", "latest", "current",
    )
)  # fmt: skip
"""Steps that do not say what is in them."""
_VERBS = frozenset(
    {"create", "new", "add", "insert", "register", "place", "submit", "make", "book", "upload", "import"}
)
_LONGEST = 200


@lru_cache(maxsize=4096)
def resource_at(path: str, name: str, endpoint: str) -> str:
    """What the id at a path is of, as a singular in lower case; empty if its name is none of an id.

    `name`: of the member. `endpoint`: the resource of the endpoint, for an id that stands in nothing else.
    """
    if len(path) > _LONGEST:
        return ""
    steps = [quoted or plain for quoted, plain in _STEP.findall(path) if quoted or plain]
    if steps and steps[-1] == "text()":
        steps.pop()
        name = steps[-1] if steps else ""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] not in _IDS | _NUMBERS:
        return ""
    kind = "#" if words[-1] in _NUMBERS else ""
    own = [word for word in words[:-1] if word not in _WRAPPERS]
    if own:
        return singular("".join(own)) + kind
    if kind:
        return ""
    above = (made_by(step) or singular("".join(_WORD.findall(step)).lower()) for step in reversed(steps[:-1]))
    return next((each for each in above if each and each not in _WRAPPERS), endpoint)


def made_by(operation: str) -> str:
    """`order` for `createOrder`; empty if the name of a field or operation does not say that it makes something."""
    words = [word.lower() for word in _WORD.findall(operation)]
    return singular("".join(words[1:])) if len(words) > 1 and words[0] in _VERBS else ""


@lru_cache(maxsize=1024)
def resource_of(path: str) -> str:
    """`order` for the paths `/v1/orders`, `/orders/{id}` and `/orders/create`; empty if none is named."""
    for segment in reversed(path.partition("?")[0].split("/")):
        segment = segment.partition(".")[0].lower()
        if segment and not segment.startswith("{") and not segment.isdigit() and segment not in _VERBS:
            return singular("".join(_WORD.findall(segment)))
    return ""


def singular(word: str) -> str:
    """A noun without the ending of its plural, near enough to compare two spellings of one noun."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 2 else word
