"""A response for Python programs, and the comparison of two."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.compare.rules import Rules
from mirror_addon.protos.files import read_protos


@dataclass(frozen=True, slots=True)
class Response:
    """The response of one upstream, or why there is none.

    `status`: None without a response; then `error` says why (`connect`, `timeout`, `reset`, ...). `headers`: names and
    values in their order, each byte a character (ISO 8859-1). `body`: as on the wire, so that a content coding is not
    undone; None if it was not kept. `size`: bytes of the whole body, if `body` is only its first part. `ms`:
    milliseconds from the last byte of the request to the last byte of the response.
    """

    status: int | None
    headers: Sequence[tuple[str, str]] = ()
    body: bytes | None = None
    ms: float | None = None
    error: str = ""
    size: int | None = None

    def header(self, name: str) -> str | None:
        """The value of a header field, several lines joined by `, `; None without one."""
        values = [value for each, value in self.headers if each.lower() == name.lower()]
        return ", ".join(values) if values else None


def compare_responses(
    primary: Response,
    shadow: Response,
    *,
    rules: Rules | None = None,
    control: Response | None = None,
    method: str = "",
    url: str = "",
    protos: Sequence[str | os.PathLike[str]] = (),
) -> Comparison:
    """Compare two responses to the same request, as the proxy compares a primary with its mirror.

    `rules`: of a `compare.yaml`, as `ComparisonRules.parse` returns them. `control`: a second response of the primary,
    where it has one: what differs from it is noise. `method`, `url`: of the request, for rules that name an endpoint,
    and of gRPC to know the method. `protos`: types of messages, as `mirror_protos`; read once. Raises ValueError where
    they cannot be read.
    """
    found = read_protos(tuple(os.fspath(path) for path in protos))
    return compare(
        _answer(primary),
        _answer(shadow),
        replace(DEFAULT_RULES if rules is None else rules, descriptors=found),
        control=None if control is None else _answer(control),
        method=method,
        url=url,
    )


def _answer(response: Response) -> Answer:
    headers = tuple((_raw(name), _raw(value)) for name, value in response.headers)
    size = len(response.body or b"") if response.size is None else response.size
    return Answer(response.status, headers, response.body, size, response.ms, response.error)


def _raw(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")
