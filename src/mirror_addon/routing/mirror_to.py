"""The option `mirror_to`: a mirror without YAML, compiled into the rule for requests that no virtual host claims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mirror_addon.routing.clusters import TLS
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.decision import Rule
from mirror_addon.routing.fractions import ALWAYS
from mirror_addon.routing.mirrors import MirrorPolicy


@dataclass(frozen=True, slots=True)
class MirrorTo:
    """A URL of the option. `path`, without a slash at its end, is put before every shadow's path."""

    scheme: str
    host: str
    port: int
    path: str = ""


class Passthrough:
    """The rule for requests that no virtual host claims: they leave unchanged and are mirrored to every URL."""

    __slots__ = ("mirrors", "rule")

    def __init__(self, urls: Sequence[MirrorTo]) -> None:
        self.rule = Rule("", "mirror_to", "", "") if urls else None
        self.mirrors = tuple(MirrorPolicy(_cluster(url), ALWAYS, None, url.path.rstrip("/").encode()) for url in urls)

    def decide(self, request: Request, draw: int) -> Decision:
        if not self.mirrors:
            return Decision(Action.PASSTHROUGH, request=request)
        obstacle = "method" if request.method == b"CONNECT" else None
        port, authority = request.port, request.authority
        mirrors = tuple([mirror.decide(draw, port, authority, obstacle) for mirror in self.mirrors])
        return Decision(Action.PASSTHROUGH, self.rule, request=request, mirrors=mirrors)


def _cluster(url: MirrorTo) -> Cluster:
    endpoint = Endpoint(url.host, url.port)
    tls = TLS() if url.scheme == "https" else None
    return Cluster(
        url.host, "", url.port, (endpoint,), protocol=url.scheme, tls=tls, label=str(endpoint), detects_protocol=True
    )
