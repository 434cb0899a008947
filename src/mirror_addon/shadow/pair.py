"""A shadow and its primary after both have ended, as statistics, terminal and views get them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple
from typing import Protocol

if TYPE_CHECKING:
    from mirror_addon.compare.answer import Answer
    from mirror_addon.compare.calls import Call
    from mirror_addon.compare.comparison import Comparison
    from mirror_addon.compare.redaction import Redaction
    from mirror_addon.routing.decision import Request
    from mirror_addon.shadow.request import ShadowRequest
    from mirror_addon.shadow.result import ShadowResult
    from mirror_addon.shadow.subject import Subject


class Again(NamedTuple):
    """What is needed to send a shadow once more, and to compare it with the primary's response of then."""

    request: ShadowRequest
    body: bytes
    answer: Answer
    """The primary's."""
    note: str
    """What is missing of the answer."""
    at: float
    """When it was complete, in seconds since the epoch."""
    subject: Subject
    asked: Request
    """As the client sent it, for the rules of a later moment."""


@dataclass(slots=True)
class Pair:
    """The result of a shadow beside that of its primary."""

    id: str
    """Of the shadow."""
    flow_id: str
    """Of the primary's flow."""
    rule: str
    """`default/serviceB http[0]`, or `mirror_to`."""
    route: str
    """Label of the primary's cluster; empty if the request passed through."""
    target: str
    """Label of the mirror; `control:LABEL` for a control of `mirror_control`."""
    method: str
    url: str
    """Absolute, as the client sent it."""
    control: bool
    """The target is the primary's own destination, so that differences are noise."""
    primary_status: int | None
    """None if there was no response from upstream."""
    primary_ms: float | None
    """Milliseconds from the last byte of the request to the last byte of the response."""
    result: ShadowResult
    """It has header fields and body if flows are shown or saved."""
    comparison: Comparison | None
    """None: not compared. Values of redacted header fields are left out."""
    view: Any = None
    """What `ShadowFlows.expect` kept to make the shadow's flow; None if flows are neither shown nor saved."""
    redaction: Redaction | None = None
    """What `shown_url` leaves out."""
    calls: tuple[Call, ...] = ()
    """Those of the mirror to other services, without redacted values."""
    again: Again | None = None
    """None where it is not to be sent once more, or cannot be."""

    @property
    def shown_url(self) -> str:
        """The URL without what `mirror_redact` names, for pages and the log. Computed when it is shown."""
        return self.url if self.redaction is None else self.redaction.url(self.url)


class PairObserver(Protocol):
    """Gets each pair once, in the proxy's event loop; must return quickly."""

    def pair(self, pair: Pair) -> None: ...
