"""What the proxy shows of a shadow's end: the shadow's answer beside the primary's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Protocol

if TYPE_CHECKING:
    from mirror_addon.compare.comparison import Comparison
    from mirror_addon.shadow.result import ShadowResult


@dataclass(slots=True)
class Pair:
    """A shadow and its primary, both at their end."""

    id: str
    flow_id: str
    rule: str
    """`default/serviceB http[0]`, or `mirror_to`."""
    route: str
    """Label of the primary's cluster, empty where the request passed through."""
    target: str
    """Label of the mirror; of a control made by `mirror_control`, `control:LABEL`."""
    method: str
    url: str
    """Absolute, as the client asked it."""
    control: bool
    """The target is the primary's own destination: differences are the primary's own noise."""
    primary_status: int | None
    """None where the client got no answer from upstream."""
    primary_ms: float | None
    """From the whole request to the whole answer."""
    result: ShadowResult
    """With header and body where something shows flows."""
    comparison: Comparison | None
    """None: not compared. Values of redacted header fields are blanked."""
    view: Any = None
    """What a list of flows needs to show the shadow as a flow; None where no list is shown or saved."""


class PairObserver(Protocol):
    """Is told each pair once, in the proxy's loop, and must be quick about it."""

    def pair(self, pair: Pair) -> None: ...
