"""A pytest suite as text: one file an endpoint, and what they share."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from importlib.resources import files as resources

from mirror_addon.compare.redaction import REDACTED
from mirror_addon.compare.report.wording import counted
from mirror_addon.compare.suite.cases import Case
from mirror_addon.compare.suite.cases import Headers
from mirror_addon.compare.suite.python import bytes_literal
from mirror_addon.compare.suite.python import docstring
from mirror_addon.compare.suite.python import json_literal
from mirror_addon.compare.suite.python import name_of
from mirror_addon.compare.suite.python import plain_json

MAX_INLINE = 10_000
"""Characters of a body in the source; a longer one is a file of its own in `bodies`."""

MARGIN = " " * 8
FOLDER = "bodies"


def suite(cases: Mapping[str, Sequence[Case]], ignoring: Mapping[str, Sequence[str]]) -> dict[str, bytes]:
    """The files by their names, relative to the suite's folder. `ignoring`: paths that are noise, by endpoint."""
    found = {"conftest.py": resources("mirror_addon.compare.suite").joinpath("conftest.txt").read_bytes()}
    for endpoint in sorted(cases):
        stem = base = name_of(endpoint) or "endpoint"
        number = 1
        while f"test_{stem}.py" in found:
            number += 1
            stem = f"{base}_{number}"
        writer = _Module(stem, endpoint, cases[endpoint], ignoring.get(endpoint, ()))
        found[f"test_{stem}.py"] = writer.text.encode()
        found |= {f"{FOLDER}/{name}": body for name, body in writer.bodies.items()}
    return found


class _Module:
    """One endpoint's tests; bodies too long to read stand in `bodies`."""

    def __init__(self, stem: str, endpoint: str, cases: Sequence[Case], ignoring: Sequence[str]) -> None:
        self.bodies: dict[str, bytes] = {}
        self._stem = stem
        parts = [
            docstring(f"{endpoint}: what the primary answered to {counted(len(cases), 'recorded request')}."),
            "\n\nfrom __future__ import annotations\n",
        ]
        if ignoring:
            listed = "".join(f"    {path!r},\n" for path in ignoring)
            parts.append(f'\nNOISE = [\n{listed}]\n"""Differs between two answers of one and the same primary."""\n')
        parts += [self._test(number, case, bool(ignoring)) for number, case in enumerate(cases, 1)]
        self.text = "".join(parts)

    def _test(self, number: int, case: Case, ignoring: bool) -> str:
        told = f"Recorded {case.time or 'once'}, id {case.id}"
        if case.differing:
            told += f"; the mirror answered differently in {', '.join(case.differing)}"
        elif case.verdict:
            told += f"; the mirror's answer: {case.verdict}"
        name = f"test_{number}_{name_of(case.target.partition('?')[0], 40)}".rstrip("_")
        lines = [
            f"\n\ndef {name}(upstream):",
            f"    {docstring(told + '.')}",
            "    reply = upstream.ask(",
            f"{MARGIN}{case.method!r},",
            f"{MARGIN}{case.target!r},",
            f"{MARGIN}headers={_headers(case.headers)},",
            *([f"{MARGIN}body={self._bytes(case.body, f'{number}_request')},"] if case.body else []),
            "    )",
            "    reply.must_equal(",
            f"{MARGIN}status={case.status},",
            f"{MARGIN}headers={_headers(case.response_headers)},",
            *self._answer(case, number),
            f"{MARGIN}recorded={case.start!r},",
            *([f"{MARGIN}ignoring=NOISE,"] if ignoring else []),
            "    )",
        ]
        return "\n".join(lines) + "\n"

    def _answer(self, case: Case, number: int) -> list[str]:
        body = case.response_body
        if body is None:
            return []
        if document := plain_json(body):
            text = json_literal(document[0], MARGIN)
            if len(text) <= MAX_INLINE:
                return [f"{MARGIN}json={text},"]
        return [f"{MARGIN}body={self._bytes(body, str(number))},"]

    def _bytes(self, body: bytes, name: str) -> str:
        text = bytes_literal(body, MARGIN)
        if len(text) <= MAX_INLINE:
            return text
        name = f"{self._stem}_{name}"
        self.bodies[name] = body
        return f"upstream.file({name!r})"


def _headers(headers: Headers) -> str:
    if not headers:
        return "[]"
    lines = []
    for name, value in headers:
        text = f"upstream.secret({name!r})" if value == REDACTED.decode() else repr(value)
        lines.append(f"{MARGIN}    ({name!r}, {text}),\n")
    return f"[\n{''.join(lines)}{MARGIN}]"
