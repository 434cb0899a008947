"""Where the demo's two upstreams differ: in the requests that they received and in their responses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mirror_addon.demo.upstreams import Exchange
from mirror_addon.demo.upstreams import Received
from mirror_addon.demo.upstreams import Response


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two responses differ. `path` is a JSONPath, the name of a header field, or `status`.

    `kind` is `missing`, `extra`, `type` or `value`; of a status both numbers. `text` is what people read.
    """

    path: str
    kind: str
    text: str

    def __str__(self) -> str:
        return self.text


def differing_values(old: Any, new: Any, path: str = "$") -> Iterator[Difference]:
    """Where two JSON values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            below = f"{path}.{key}"
            if key not in new:
                yield Difference(below, "missing", f"{below} only in v1")
            elif key not in old:
                yield Difference(below, "extra", f"{below} only in v2")
            else:
                yield from differing_values(old[key], new[key], below)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from differing_values(one, other, f"{path}[{index}]")
    elif type(old) is not type(new) or old != new:
        kind = "value" if type(old) is type(new) else "type"
        yield Difference(path, kind, f"{path} {json.dumps(old)} → {json.dumps(new)}")


def differing_responses(old: Response, new: Response) -> Iterator[Difference]:
    """Where two responses differ."""
    if old.status != new.status:
        statuses = f"{old.status} → {new.status}"
        yield Difference("status", statuses, f"status {statuses}")
        return
    for name in dict.fromkeys([*old.fields, *new.fields]):
        if old.fields.get(name) != new.fields.get(name):
            kind = "missing" if name not in new.fields else "value" if name in old.fields else "extra"
            values = f"{old.fields.get(name, 'absent')} → {new.fields.get(name, 'absent')}"
            yield Difference(name, kind, f"{name} {values}")
    if old.body != new.body:
        yield from differing_values(json.loads(old.body), json.loads(new.body))


def differing_requests(primary: Received, shadow: Received) -> Iterator[str]:
    """The parts (method, target, body) and header fields of the shadow that are not as the primary's."""
    for part in ("method", "target", "body"):
        if getattr(primary, part) != getattr(shadow, part):
            yield part
    for name in dict.fromkeys(name.title() for name, _ in (*primary.fields, *shadow.fields)):
        if primary.field(name) != shadow.field(name):
            yield name


def problems(got: Response, primary: Exchange | None, shadow: Exchange | None) -> Iterator[str]:
    """What is not as it should be in the worked example, one line each."""
    if primary is None:
        yield f"v1 received nothing; the client got {got.status} {got.body.decode(errors='replace')}"
        return
    if (got.status, got.body) != (primary.response.status, primary.response.body):
        yield f"the client got {got.status}, v1 sent {primary.response.status}"
    if shadow is None:
        yield "v2 received nothing"
        return
    if (differing := sorted(differing_requests(primary.received, shadow.received))) != ["Host", "X-Forwarded-For"]:
        yield f"the shadow differs in {', '.join(differing)}"
    if shadow.received.field("host") != primary.received.field("host") + "-shadow":
        yield f"the shadow's Host is {shadow.received.field('host')}"
    hops = primary.received.field("x-forwarded-for") + ","
    if not shadow.received.field("x-forwarded-for").startswith(hops):
        yield f"the shadow's X-Forwarded-For is {shadow.received.field('x-forwarded-for')}"
