"""Write a pytest suite: one test file for each endpoint, a `conftest.py`, and files for long bodies.

`mirror-addon tests` (`cli/tests.py`) reads a record; `cases` selects pairs from it, and this module writes them down,
with `python` for literals and names. `conftest.txt` is the `conftest.py` of every suite: it sends the requests and
compares by `comparison.compare`. The content of a record is untrusted, so it becomes literals only.
"""

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
"""The most characters of a body in the source. Longer ones are files in `bodies`."""

MARGIN = " " * 8
FOLDER = "bodies"


def suite(cases: Mapping[str, Sequence[Case]], ignoring: Mapping[str, Sequence[str]]) -> dict[str, bytes]:
    """The content of the files by their names relative to the suite's folder.

    `cases`, `ignoring`: by endpoint; the latter are paths that are noise.
    """
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
    """The tests of one endpoint. `bodies`: those that are too long for the source, by the name of their file."""

    def __init__(self, stem: str, endpoint: str, cases: Sequence[Case], ignoring: Sequence[str]) -> None:
        self.bodies: dict[str, bytes] = {}
        self._stem = stem
        parts = [
            docstring(f"{endpoint}: the primary's responses to {counted(len(cases), 'recorded request')}."),
            "\n\nfrom __future__ import annotations\n",
        ]
        if ignoring:
            listed = "".join(f"    {path!r},\n" for path in ignoring)
            parts.append(f'\nNOISE = [\n{listed}]\n"""These differ between responses of the same primary."""\n')
        parts += [self._test(number, case, bool(ignoring)) for number, case in enumerate(cases, 1)]
        self.text = "".join(parts)

    def _test(self, number: int, case: Case, ignoring: bool) -> str:
        origin = f"Recorded {case.time or 'at an unknown time'}, id {case.id}"
        if case.differing:
            origin += f"; the mirror's response differed in {', '.join(case.differing)}"
        elif case.verdict:
            origin += f"; the mirror's response: {case.verdict}"
        name = f"test_{number}_{name_of(case.target.partition('?')[0], 40)}".rstrip("_")
        lines = [
            f"\n\ndef {name}(upstream):",
            f"    {docstring(origin + '.')}",
            "    response = upstream.request(",
            f"{MARGIN}{case.method!r},",
            f"{MARGIN}{case.target!r},",
            f"{MARGIN}headers={_headers(case.headers)},",
            *([f"{MARGIN}body={self._bytes(case.body, f'{number}_request')},"] if case.body else []),
            "    )",
            "    response.must_equal(",
            f"{MARGIN}status={case.status},",
            f"{MARGIN}headers={_headers(case.response_headers)},",
            *self._response_body(case, number),
            f"{MARGIN}recorded={case.start!r},",
            *([f"{MARGIN}ignoring=NOISE,"] if ignoring else []),
            "    )",
        ]
        return "\n".join(lines) + "\n"

    def _response_body(self, case: Case, number: int) -> list[str]:
        body = case.response_body
        if body is None:
            return []
        if document := plain_json(body):
            text = json_literal(document[0], MARGIN)
            if len(text) <= MAX_INLINE:
                return [f"{MARGIN}json={text},"]
        return [f"{MARGIN}body={self._bytes(body, str(number))},"]

    def _bytes(self, body: bytes, name: str) -> str:
        """An expression for `body`: a literal, or the content of a file."""
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
