"""A pair as an assistant gets it: from a record or a running proxy, redacted. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import Protocol

from mirror_addon.assistant.fence import Long
from mirror_addon.assistant.fence import shortened
from mirror_addon.compare.causes import ids_of
from mirror_addon.compare.codings import CodingError
from mirror_addon.compare.codings import undo
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.redaction import Headers
from mirror_addon.compare.redaction import Redaction

SHOWN_DIFFERENCES = 50
LISTED_DIFFERENCES = 5
MAX_BODY = 20_000
"""Characters of a body."""


class AssistantError(Exception):
    """A question cannot be answered. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Message:
    """Header and body of a request or a response, as on the wire. `body`: None if it was not kept."""

    headers: Headers
    body: bytes | None
    cut: bool

    def document(self, redaction: Redaction, characters: int) -> dict[str, Any]:
        """The message without what is redacted, and `characters` of its body as text, without its content coding."""
        headers, body = redaction.message(self.headers, self.body, whole=not self.cut)
        found: dict[str, Any] = {"headers": [[_text(name), _text(value)] for name, value in headers]}
        if body is None:
            return found | {"body": None, "why": "withheld" if self.body is not None else "not recorded"}
        codings = ",".join(_text(value) for name, value in headers if name.lower() == b"content-encoding")
        try:
            plain = undo(body, codings, 4 * MAX_BODY)[0] if codings else body
            text = plain[: 4 * MAX_BODY].decode("utf-8", "strict" if len(plain) <= 4 * MAX_BODY else "ignore")
        except (CodingError, UnicodeDecodeError):
            return found | {"body": None, "why": f"not text, {len(body)} bytes"}
        return found | {"body": Long(shortened(text, characters)), "cut": self.cut or len(text) > characters}


@dataclass(frozen=True, slots=True)
class PairView:
    """A primary's response and a shadow's. `verdict` as in a record; `time`: RFC 3339."""

    id: str
    time: str
    endpoint: str
    method: str
    url: str
    target: str
    control: bool
    verdict: str | None
    primary: dict[str, Any]
    shadow: dict[str, Any]
    differences: tuple[Difference, ...]
    more: int
    notes: tuple[str, ...] = ()
    messages: tuple[tuple[str, Message], ...] = ()

    @property
    def findings(self) -> list[str]:
        """The ids of the findings that its differences belong to."""
        counting = [each for each in self.differences if not each.noise]
        return list(dict.fromkeys(ids_of(counting, self.endpoint)))

    def summary(self, redaction: Redaction) -> dict[str, Any]:
        """A row of a list."""
        counting = [each for each in self.differences if not each.noise]
        return {
            **self._head(redaction),
            "differs": [f"{redaction.text(each.path)} {each.kind}" for each in counting[:LISTED_DIFFERENCES]],
            "more": max(0, len(counting) - LISTED_DIFFERENCES) + self.more,
            "findings": self.findings,
        }

    def document(self, redaction: Redaction, characters: int) -> dict[str, Any]:
        """All that is known of it."""
        return {
            **self._head(redaction),
            "findings": self.findings,
            "differences": [difference_document(each, redaction) for each in self.differences[:SHOWN_DIFFERENCES]],
            "more": max(0, len(self.differences) - SHOWN_DIFFERENCES) + self.more,
            "notes": list(self.notes),
            **{
                name: {**self._side(name), **message.document(redaction, characters)} for name, message in self.messages
            },
        }

    def _head(self, redaction: Redaction) -> dict[str, Any]:
        return {
            "id": self.id,
            "time": self.time or None,
            "endpoint": redaction.text(self.endpoint),
            "method": self.method,
            "url": redaction.url(self.url),
            "target": self.target,
            "control": self.control,
            "verdict": self.verdict,
            "primary": self.primary,
            "shadow": self.shadow,
        }

    def _side(self, name: str) -> dict[str, Any]:
        return {"primary": self.primary, "shadow": self.shadow}.get(name, {})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which pairs are listed. Empty: all."""

    verdict: str = ""
    endpoint: str = ""
    finding: str = ""

    def has(self, pair: PairView) -> bool:
        return (
            (not self.verdict or pair.verdict == self.verdict)
            and (not self.endpoint or pair.endpoint == self.endpoint)
            and (not self.finding or self.finding in pair.findings)
        )


class Source(Protocol):
    """Where pairs come from. Methods may block, and raise AssistantError."""

    def status(self) -> dict[str, Any]:
        """What was mirrored, and how much of it differs."""

    def findings(self) -> Sequence[dict[str, Any]]:
        """The findings, those with most pairs first, with the keys of `mirror-addon report --json`."""

    def pairs(self) -> Iterable[PairView]:
        """The pairs, in the order in which they should be listed."""

    @property
    def name(self) -> str:
        """Says which source it is."""


def difference_document(difference: Difference, redaction: Redaction) -> dict[str, Any]:
    """A difference as in a record."""
    shown = redaction.difference(difference)
    return {
        "path": redaction.text(shown.path),
        "kind": shown.kind,
        "primary": shown.primary,
        "shadow": shown.shadow,
        "noise": shown.noise,
        "where": redaction.text(shown.where),
    }


def finding_without_secrets(found: dict[str, Any], redaction: Redaction) -> dict[str, Any]:
    """A finding of `report --json` or the live page, redacted."""
    example = found.get("example")
    made = {**found, "path": redaction.text(found["path"]), "endpoints": [*map(redaction.text, found["endpoints"])]}
    if example:
        path = found["path"]
        shown = Difference(path, example["kind"], example["primary"], example["shadow"], "", example["where"])
        shown = redaction.difference(shown)
        made["example"] = {
            **example,
            "url": redaction.url(example["url"]),
            "where": redaction.text(example["where"]),
            "primary": shown.primary,
            "shadow": shown.shadow,
        }
    return made


def _text(data: bytes) -> str:
    return data.decode("latin-1")
