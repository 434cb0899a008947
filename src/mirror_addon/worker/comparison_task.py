"""One pair to compare, as a value: compared in the worker, or sent to the process beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.codings import CodingError
from mirror_addon.compare.codings import undone_within
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.headers import values_of
from mirror_addon.compare.media_types import form_of
from mirror_addon.compare.media_types import media_type
from mirror_addon.compare.new_ids import NewIds
from mirror_addon.compare.new_ids import PairIds
from mirror_addon.compare.rules import Rules
from mirror_addon.compare.twin_values import TwinValues


class IdArguments(NamedTuple):
    """What `PairIds` takes, except what was learned."""

    method: str
    url: str
    request: str | None
    created: bool
    operation: str | None


class Task(NamedTuple):
    """What `compare` takes. `ids`: None for a pair that makes nothing."""

    primary: Answer
    shadow: Answer
    control: Answer | None
    method: str
    url: str
    operation: str
    now: float
    primary_now: float
    ids: IdArguments | None
    twin: TwinValues | None = None

    @property
    def size(self) -> int:
        """Bytes of all header fields and bodies, as on the wire."""
        size = 0
        for response in (self.primary, self.shadow, self.control):
            if response is not None:
                size += len(response.body or b"")
                for name, value in response.headers:
                    size += len(name) + len(value)
        return size

    def decoded_within(self, limit: int) -> Task | None:
        """The task with its bodies decoded; None if one has more than `limit` bytes without its content coding. Not
        much more is decoded for that.

        Messages may be compressed one by one, and what reads them takes long to import: None for these.
        """
        found = []
        for response in (self.primary, self.shadow, self.control):
            decoded = None if response is None else _decoded_within(response, limit)
            if response is not None and decoded is None:
                return None
            found.append(decoded)
        primary, shadow, control = found
        assert primary is not None and shadow is not None
        return self._replace(primary=primary, shadow=shadow, control=control)

    def run(self, rules: Rules, learned: NewIds | None) -> Comparison:
        """Compare the pair. Never raises."""
        ids = None
        if self.ids is not None and learned is not None:
            method, url, request, created, operation = self.ids
            ids = PairIds(learned, method, url, request, created=created, operation=operation)
        try:
            return compare(
                self.primary,
                self.shadow,
                rules,
                control=self.control,
                method=self.method,
                url=self.url,
                operation=self.operation,
                ids=ids,
                twin=self.twin,
                now=self.now,
                primary_now=self.primary_now,
            )
        except MemoryError:
            return not_compared("it needs too much memory")
        except Exception as error:  # an error of ours in comparing one pair must not end the worker
            return not_compared(f"{type(error).__name__}: {error}")


def _decoded_within(response: Answer, limit: int) -> Answer | None:
    if not response.body:
        return response
    kinds = values_of(response.headers, b"content-type")
    if form_of(media_type(", ".join(kinds)), b"") in ("grpc", "protobuf"):
        return None
    codings = values_of(response.headers, b"content-encoding")
    if not codings:
        return response
    try:
        plain = undone_within(response.body, ", ".join(codings), limit)
    except CodingError:  # it is compared as it is, with a note
        return response if len(response.body) <= limit else None
    return None if plain is None else replace(response, plain=plain)


def not_compared(why: str) -> Comparison:
    """The result for a pair that could not be compared. Its verdict is None."""
    return Comparison(None, (), (f"not compared: {why}",))
