"""The option `mirror_to`: a mirror without YAML, compiled into the rule for requests that no virtual host claims."""

from __future__ import annotations

from collections.abc import Callable
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
    filter: str = ""
    """Words for `matches`."""
    matches: Callable[[Request], bool] | None = None
    """Which requests are mirrored there; None: all."""


class Passthrough:
    """The rule for requests that no virtual host claims: they leave unchanged, and are mirrored to every URL whose
    filter they match."""

    __slots__ = ("_filtered", "mirrors", "rule", "urls")

    def __init__(self, urls: Sequence[MirrorTo]) -> None:
        self.urls = tuple(urls)
        """Those of `mirrors`, in the same order."""
        self._filtered = any(url.matches is not None for url in urls)
        self.rule = Rule("", "mirror_to", "", "") if urls else None
        self.mirrors = tuple(MirrorPolicy(_cluster(url), ALWAYS, None, url.path.rstrip("/").encode()) for url in urls)

    def decide(self, request: Request, draw: int) -> Decision:
        chosen = self.mirrors if not self._filtered else self.chosen(request)
        if not chosen:
            return Decision(Action.PASSTHROUGH, request=request)
        obstacle = "method" if request.method == b"CONNECT" else None
        port, authority = request.port, request.authority
        mirrors = tuple([mirror.decide(draw, port, authority, obstacle) for mirror in chosen])
        return Decision(Action.PASSTHROUGH, self.rule, request=request, mirrors=mirrors)

    def chosen(self, request: Request) -> tuple[MirrorPolicy, ...]:
        """Return the mirrors whose filter a request matches."""
        pairs = zip(self.mirrors, self.urls, strict=True)
        return tuple(mirror for mirror, url in pairs if url.matches is None or url.matches(request))


def _cluster(url: MirrorTo) -> Cluster:
    endpoint = Endpoint(url.host, url.port)
    tls = TLS() if url.scheme == "https" else None
    return Cluster(
        url.host, "", url.port, (endpoint,), protocol=url.scheme, tls=tls, label=str(endpoint), detects_protocol=True
    )
