"""Records of the proxy (`mirror_record`) as typed pairs."""

from __future__ import annotations

import base64
import os
import warnings
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mirror_addon.api.response import Response
from mirror_addon.compare.calls import Call
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.report.lines import KeptLine
from mirror_addon.compare.report.lines import KeptRequest
from mirror_addon.compare.report.lines import KeptSide
from mirror_addon.compare.report.lines import ListedDifference
from mirror_addon.compare.report.reading import RecordReader
from mirror_addon.compare.report.reading import SourceError
from mirror_addon.compare.report.wording import counted


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """The client's request, before rewrites. `headers` and `body` are empty and None in a record without bodies."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    cut: bool = False
    """Whether `body` is only a part."""


@dataclass(frozen=True, slots=True)
class RecordedPair:
    """One line of a record: the response of the primary and that of one shadow, and how they differ.

    `verdict`: `same`, `noise`, `different`, `failed`, or None if they were not compared. `differences`: those that
    count have an empty `noise`. `more`: the number of differences beyond those listed. `time`: when the request began;
    None if the record does not say. `control`: the shadow was sent to the primary itself. `calls`: those of the mirror
    to other services (`mirror_sandbox`).
    """

    id: str
    time: datetime | None
    endpoint: str
    route: str | None
    target: str
    control: bool
    request: RecordedRequest
    primary: Response
    shadow: Response
    verdict: str | None
    differences: tuple[Difference, ...]
    more: int
    calls: tuple[Call, ...] = ()


class _Line(KeptLine, frozen=True, gc=False):
    shadow: KeptSide


def read_records(*paths: str | os.PathLike[str], warn: Callable[[str], None] = warnings.warn) -> Iterator[RecordedPair]:
    """Read the pairs of records, gzipped or not, in their order, as a stream.

    `warn` is called with `FILE:LINE: what` for a line that cannot be read, and reading goes on. Raises ValueError where
    a file cannot be opened.
    """
    reader = RecordReader([os.fspath(path) for path in paths], _Line)
    told = 0
    try:
        for line in reader:
            told = _tell(reader.warnings, told, warn)
            try:
                pair = _pair(line)
            except ValueError as error:
                warn(f"{line.id}: left out: {error}")
            else:
                yield pair
    except SourceError as error:
        raise ValueError(str(error)) from None
    _tell(reader.warnings, told, warn)
    if reader.more_warnings:
        warn(f"{counted(reader.more_warnings, 'more line')} left out")


def _tell(texts: Sequence[str], told: int, warn: Callable[[str], None]) -> int:
    """Pass on the warnings from number `told` on. Return how many there are."""
    for text in texts[told:]:
        warn(text)
    return len(texts)


def _pair(line: _Line) -> RecordedPair:
    request = line.request or KeptRequest()
    return RecordedPair(
        line.id,
        datetime.fromisoformat(line.time) if line.time else None,
        line.endpoint,
        line.route,
        line.target,
        line.control,
        RecordedRequest(line.method, line.url, request.headers, _body(request), request.cut),
        _response(line.primary),
        _response(line.shadow),
        line.verdict,
        _differences(line.differences),
        line.more,
        tuple(
            Call(each.method, each.url, each.state, _differences(each.differences), each.note) for each in line.calls
        ),
    )


def _differences(listed: Iterable[ListedDifference]) -> tuple[Difference, ...]:
    return tuple(Difference(each.path, each.kind, each.primary, each.shadow, each.noise, each.where) for each in listed)


def _response(side: KeptSide) -> Response:
    return Response(side.status, side.headers, _body(side), side.ms, side.error or "", side.bytes)


def _body(kept: KeptSide | KeptRequest) -> bytes | None:
    if kept.body is None:
        return None
    if kept.encoding == "base64":
        return base64.b64decode(kept.body, validate=True)
    return kept.body.encode("utf-8", "surrogatepass")
