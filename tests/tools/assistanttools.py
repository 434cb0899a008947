"""A record with seeded defects and secrets, and answers of the assistant's tools read back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

SECRETS = ["s3cret-cookie", "s3cret-token", "4111 1111 1111 1111", "AKIAABCDEFGHIJKLMNOP"]
"""Seeded into a record. None of them may reach an assistant."""


def line(id: str, **changes: Any) -> dict[str, Any]:
    """A line of a record with bodies."""
    side = {"status": 200, "ms": 10.0, "bytes": 2, "error": None}
    return {
        "version": 1, "id": id, "time": "2026-11-22T12:00:00Z", "route": "b/v1", "target": "b/v2", "method": "GET",
        "url": "http://b.test/users/7", "verdict": "same", "differences": [], "primary": side, "shadow": side,
    } | changes  # fmt: skip


def difference(path: str, kind: str = "value", primary: Any = 1, shadow: Any = 2, noise: str = "") -> dict[str, Any]:
    return {"path": path, "kind": kind, "primary": primary, "shadow": shadow, "noise": noise, "where": path}


def kept(text: str, *headers: tuple[str, str]) -> dict[str, Any]:
    """A side, or a request, with its body."""
    return {
        "status": 200, "ms": 10.0, "bytes": len(text), "error": None,
        "headers": [["Content-Type", "application/json"], *map(list, headers)], "body": text, "encoding": "utf-8",
    }  # fmt: skip


SEEDED = [
    line("f/0"),
    line(
        "f/1",
        verdict="different",
        url="http://b.test/users/8?access_token=s3cret-token",
        differences=[
            difference("$.price"),
            difference("header:set-cookie", "value", "sid=s3cret-cookie", "sid=s3cret-cookie2"),
        ],
        request={"headers": [["Cookie", "sid=s3cret-cookie"], ["X-Card", "4111 1111 1111 1111"]], "body": None},
        primary=kept('{"price": 1, "card": "4111 1111 1111 1111"}', ("Set-Cookie", "sid=s3cret-cookie")),
        shadow=kept('{"price": 2, "key": "AKIAABCDEFGHIJKLMNOP"}', ("Set-Cookie", "sid=s3cret-cookie2")),
    ),
    line("f/2", verdict="different", differences=[difference("$.price")], url="http://b.test/orders/9"),
    line("f/3", verdict="different", differences=[difference("$.tax", "missing", 3, None)]),
    line("f/4", verdict="noise", differences=[difference("$.at", noise="timestamp")]),
    line("f/5", verdict="failed", shadow={"status": None, "ms": None, "bytes": 0, "error": "timeout"}),
]


def write_record(path: Path, *lines: dict[str, Any]) -> str:
    """Write lines, by default the seeded ones. Return the path."""
    path.write_text("".join(json.dumps(each) + "\n" for each in lines or SEEDED))
    return str(path)


def inside(answer: str) -> Any:
    """What is in the fence of an answer."""
    found = re.fullmatch(r"[^\n]*\n[^\n]* (\w{16})\. [^\n]*\n<<< [\w ]+ \1\n(.*)\n>>> [\w ]+ \1", answer, re.DOTALL)
    assert found, answer
    return json.loads(found[2])
