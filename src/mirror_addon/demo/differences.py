"""Where the demo's two upstreams differ: in the requests that they received and in their responses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mirror_addon.demo.upstreams import Exchange
from mirror_addon.demo.upstreams import Received
from mirror_addon.demo.upstreams import Response


def differing_values(old: Any, new: Any, path: str = "$") -> Iterator[str]:
    """Where two JSON values differ, one line each."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            if key not in new:
                yield f"{path}.{key} only in v1"
            elif key not in old:
                yield f"{path}.{key} only in v2"
            else:
                yield from differing_values(old[key], new[key], f"{path}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from differing_values(one, other, f"{path}[{index}]")
    elif type(old) is not type(new) or old != new:
        yield f"{path} {json.dumps(old)} → {json.dumps(new)}"


def differing_responses(old: Response, new: Response) -> Iterator[str]:
    """Where two responses differ, one line each."""
    if old.status != new.status:
        yield f"status {old.status} → {new.status}"
        return
    for name in dict.fromkeys([*old.fields, *new.fields]):
        if old.fields.get(name) != new.fields.get(name):
            yield f"{name} {old.fields.get(name, 'absent')} → {new.fields.get(name, 'absent')}"
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
