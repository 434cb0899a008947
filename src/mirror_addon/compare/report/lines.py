"""Parse the lines of a record.

msgspec decodes and validates in one step and skips the fields that are not named here, such as bodies. It takes 1.5 us
a line; json.loads takes 7 us and orjson 2 us, without validation.
"""

from __future__ import annotations

import json
import secrets
from typing import Annotated
from typing import Any
from typing import Generic
from typing import Literal
from typing import TypeVar

import msgspec

from mirror_addon.compare.answer import READER_CLOCK
from mirror_addon.compare.answer import SOCKET_CLOCK
from mirror_addon.compare.reasons import DROPPED
from mirror_addon.compare.record import VERSION
from mirror_addon.compare.redaction import Redaction

Status = Annotated[int, msgspec.Meta(ge=100, le=999)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


class LineError(ValueError):
    """A line cannot be read. The message says why."""


class NotJson(LineError):
    """The line is not JSON; it may be incomplete, because its writer was stopped."""


class Side(msgspec.Struct, frozen=True, gc=False):
    """One response. `status` is None if there was none; then `error` says why."""

    status: Status | None
    ms: Milliseconds | None = None
    error: str | None = None
    connect_ms: Milliseconds | None = None
    first_ms: Milliseconds | None = None
    clock: str | None = None
    late_ms: Milliseconds | None = None

    @property
    def exact(self) -> bool:
        """The times were taken at the socket. Lines that do not say how are believed."""
        return self.clock in (None, SOCKET_CLOCK, READER_CLOCK)


class ListedDifference(msgspec.Struct, frozen=True, gc=False):
    """A difference of a pair. It counts if `noise` is empty."""

    path: str
    kind: str = ""
    primary: Any = None
    shadow: Any = None
    noise: str = ""
    where: str = ""


class ListedCall(msgspec.Struct, frozen=True, gc=False):
    """A call of the mirror to another service."""

    method: str
    url: str
    state: str
    differences: tuple[ListedDifference, ...] = ()
    note: str = ""


class RecordLine(msgspec.Struct, frozen=True, gc=False):
    """A pair: the response of the primary and that of one shadow."""

    version: int
    id: str
    method: str
    url: str
    target: str
    primary: Side
    shadow: Side
    time: str = ""
    route: str | None = None
    control: bool = False
    verdict: Literal["same", "different", "noise", "failed"] | None = None
    differences: tuple[ListedDifference, ...] = ()
    more: int = 0
    endpoint: str = ""
    """Empty in lines of older versions."""
    calls: tuple[ListedCall, ...] = ()
    """Without a sandbox there are none."""

    @property
    def times(self) -> tuple[float, float] | None:
        """The response times of both sides in milliseconds, None without one of them.

        If the end of a response may have come later because the program read its beginning late (long responses, and
        servers that wait for an acknowledgement), the time is that to the first bytes, on both sides: a proxy and a
        worker do not read equally soon.
        """
        primary, shadow = self.primary, self.shadow
        if primary.status is None:
            return None
        if READER_CLOCK in (primary.clock, shadow.clock) and primary.exact and shadow.exact:
            return None if primary.first_ms is None or shadow.first_ms is None else (primary.first_ms, shadow.first_ms)
        return None if primary.ms is None or shadow.ms is None else (primary.ms, shadow.ms)

    @property
    def fate(self) -> str:
        """`compared`, `dropped`, `failed`, or `uncompared` (complete responses that were not kept)."""
        if self.verdict in ("same", "different", "noise"):
            return "compared"
        if self.shadow.error in DROPPED:
            return "dropped"
        if self.verdict == "failed" or self.shadow.error or self.shadow.status is None:
            return "failed"
        return "uncompared"


class KeptSide(Side, frozen=True, gc=False):
    """A response in a record with bodies. `encoding` says whether `body` is text or base64."""

    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    encoding: Literal["utf-8", "base64"] | None = None
    cut: bool = False
    bytes: int = 0


class KeptRequest(msgspec.Struct, frozen=True, gc=False):
    """The client's request, before rewrites."""

    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    encoding: Literal["utf-8", "base64"] | None = None
    cut: bool = False


class KeptLine(RecordLine, frozen=True, gc=False):
    """A line with the fields that `mirror_record_bodies` adds. `request` is None if that was off."""

    primary: KeptSide
    start: float = 0.0
    request: KeptRequest | None = None


class Version(msgspec.Struct, gc=False):
    version: Any


AnyLine = TypeVar("AnyLine", bound=RecordLine)


class LineParser(Generic[AnyLine]):
    """Parses lines as `kind`, RecordLine or KeptLine."""

    def __init__(self, kind: type[AnyLine]) -> None:
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind).decode

    def __call__(self, text: bytes) -> AnyLine:
        """Parse one line, with or without its newline. Raises LineError."""
        try:
            line = self._decode(text)
        except (msgspec.ValidationError, RecursionError) as error:
            raise LineError(self._reason(text, error)) from None
        except (msgspec.DecodeError, UnicodeError):
            line = self._decode_leniently(text)
        if line.version != VERSION:
            raise LineError(unknown_version(line.version))
        return line

    def _decode_leniently(self, text: bytes) -> AnyLine:
        """Accept what Python's json writes although RFC 8259 forbids it: lone surrogates, NaN, Infinity."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise NotJson(f"not JSON: {error}") from None
        try:
            return msgspec.convert(document, self._kind)
        except UnicodeEncodeError:  # msgspec's, for a lone surrogate where it expects something else than text
            raise LineError("not a line of a record: a lone surrogate stands in place of another value") from None
        except (msgspec.ValidationError, RecursionError) as error:
            raise LineError(self._reason(text, error)) from None

    def _reason(self, text: bytes, error: Exception) -> str:
        try:
            version = msgspec.json.decode(text, type=Version).version
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            version = VERSION
        return f"not a line of a record: {error}" if version == VERSION else unknown_version(version)


def clean_line(line: AnyLine) -> AnyLine:
    """Return a line without secrets: a record may have been written without redaction, or by another program."""
    differences = tuple(
        msgspec.structs.replace(
            each, primary=_CLEAN.value(each.primary), shadow=_CLEAN.value(each.shadow), path=_CLEAN.text(each.path)
        )
        for each in line.differences
    )
    calls = tuple(msgspec.structs.replace(each, url=_CLEAN.url(each.url)) for each in line.calls)
    changes: dict[str, Any] = {"url": _CLEAN.url(line.url), "differences": differences, "calls": calls}
    if isinstance(line, KeptLine):
        changes["primary"] = _clean_message(line.primary)
        changes["request"] = None if line.request is None else _clean_message(line.request)
        if isinstance(line.shadow, KeptSide):
            changes["shadow"] = _clean_message(line.shadow)
    return msgspec.structs.replace(line, **changes)


def _clean_message(message: Any) -> Any:
    headers = tuple((name, _CLEAN.text(value)) for name, value in message.headers)
    if message.body is None or message.encoding == "base64":
        return msgspec.structs.replace(message, headers=headers)
    fields = tuple((name.encode("utf-8", "replace"), value.encode("utf-8", "replace")) for name, value in headers)
    body = _CLEAN.message(fields, message.body.encode("utf-8", "surrogatepass"))[1] or b""
    return msgspec.structs.replace(message, headers=headers, body=body.decode("utf-8", "surrogatepass"))


_CLEAN = Redaction(key=secrets.token_bytes(16))
"""Of this process."""


def unknown_version(version: object) -> str:
    return f"its version is {version!r:.20}; this program reads version {VERSION}"
