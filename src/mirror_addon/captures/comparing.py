"""Compare the pairs of two captures, and make of each a line as the record of the proxy has it.

The first capture takes the part of the primary and the second that of the shadow, so that everything that reads records
reads these lines too.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace
from http import HTTPStatus

from mirror_addon.captures.pairing import Exchange
from mirror_addon.captures.pairing import Pair
from mirror_addon.compare.answer import NO_FAULT
from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.echoes import Asked
from mirror_addon.compare.new_ids import NewIds
from mirror_addon.compare.new_ids import PairIds
from mirror_addon.compare.record import About
from mirror_addon.compare.record import RecordedRequest
from mirror_addon.compare.record import record_line
from mirror_addon.compare.redaction import NOTHING
from mirror_addon.compare.redaction import REDACTED
from mirror_addon.compare.redaction import Redaction
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.compare.rules import Rules


@dataclass(frozen=True, slots=True)
class Manner:
    """How pairs are compared and written down. `first`, `second`: names of the captures."""

    first: str
    second: str
    rules: Rules = DEFAULT_RULES
    redacted: Redaction = NOTHING
    """What is left out of the lines."""
    bodies: bool = False
    """Whether the lines have header fields and bodies."""


def lines_of(pairs: Iterable[Pair], manner: Manner) -> Iterator[bytes]:
    """The lines of pairs, each with its newline."""
    ids = NewIds()
    for number, pair in enumerate(pairs):
        yield _line(pair, number, compare_pair(pair, manner, ids), manner)


def compare_pair(pair: Pair, manner: Manner, ids: NewIds) -> Comparison:
    """Compare the responses of a pair. `ids`: what was learned of the second capture's ids."""
    first, second = pair
    if first.response.status is None and first.response.error in NO_FAULT:
        return Comparison(None, (), (f"not compared: the first has no response ({first.response.error})",))
    blanked = first.redacted | second.redacted
    try:
        return compare(
            _without(first.response, blanked),
            replace(_without(second.response, blanked), asked=_asked(pair)),
            manner.rules,
            method=first.method,
            url=first.url,
            operation=first.operation.name,
            ids=_ids(pair, ids),
            now=second.ended,
            primary_now=first.ended,
        )
    except Exception as error:  # as in the worker: an error of ours in one pair must not end the command
        return Comparison(None, (), (f"not compared: {type(error).__name__}: {error}",))


def _without(response: Answer, names: frozenset[bytes]) -> Answer:
    """The response without the fields that one of the captures has blanked."""
    if not names:
        return response
    return replace(response, headers=tuple(each for each in response.headers if each[0].lower() not in names))


def _asked(pair: Pair) -> Asked | None:
    """How the second host was asked, where it is not the first: its links to itself are no difference."""
    first, second = (each.request.authority for each in pair)
    if first == second or not first or not second:
        return None
    one, other = first.rpartition(b":"), second.rpartition(b":")
    if one[2] == other[2]:  # the same port, or neither has one and both are whole here
        return Asked(other[0] or second, one[0] or first)
    return Asked(second, first)


def _ids(pair: Pair, learned: NewIds) -> PairIds:
    first, operation, body = pair.first, pair.first.operation, pair.first.body
    return PairIds(
        learned,
        first.method,
        first.url,
        None if body is None else f"{first.url} {body.decode('latin-1')}",
        created=first.response.status == pair.second.response.status == HTTPStatus.CREATED,
        operation=(operation.name if operation.changes else "") if operation.name else None,
    )


def _line(pair: Pair, number: int, comparison: Comparison, manner: Manner) -> bytes:
    first, second = pair
    about = About(
        f"{first.id}/{number}",
        first.id,
        first.started,
        "",
        manner.first,
        manner.second,
        False,
        first.method,
        first.url,
        0,
        "",
        first.operation.name,
    )
    return record_line(
        about,
        _blanked(first) if manner.bodies else first.response,
        _blanked(second) if manner.bodies else second.response,
        replace(comparison, differences=tuple(map(manner.redacted.difference, comparison.differences))),
        request=_request(first) if manner.bodies else None,
        redacted=manner.redacted,
    )


def _blanked(exchange: Exchange) -> Answer:
    """The response with the fields that the capture has blanked, as records write them."""
    blank = tuple((name, REDACTED) for name in sorted(exchange.redacted))
    return replace(exchange.response, headers=(*exchange.response.headers, *blank))


def _request(exchange: Exchange) -> RecordedRequest:
    request = exchange.request
    blank = tuple((name.encode("latin-1", "replace"), REDACTED) for name in exchange.redacted_request)
    fields = [field for field in request.headers if field[0].lower() != b"host"]
    return RecordedRequest(((b"Host", request.authority), *fields, *blank), exchange.body, False)
