"""What a record line says of a shadow besides the two answers; it travels with the shadow to its worker. Pure."""

from __future__ import annotations

from typing import NamedTuple


class Subject(NamedTuple):
    """Whom a shadow's answer is compared with, and what the pair is called. Text holds no lone surrogates."""

    group: str
    """All shadows of one primary share it: the id of the primary's flow."""
    start: float
    """When the request began, in seconds since the epoch."""
    rule: str
    """`default/serviceB http[0]`, or `mirror_to`."""
    route: str | None
    """Label of the primary's cluster; None where the request passed through."""
    control: bool
    """Its target is the primary's own destination."""
    controlled: bool
    """It is not the control, but its group has one, for which the comparison waits."""
    method: str
    url: str
    """Absolute, as the client asked it, without a default port."""
    draw: int
    client: str
    """`ADDRESS:PORT` of the client's end of its connection, or empty."""
    ignore: str = ""
    """The annotation `mirror-addon/ignore`."""
    headers: tuple[tuple[bytes, bytes], ...] | None = None
    """The client's request header with Host, where bodies are recorded."""
