"""A rule's mirrors, and which of them a draw selects (`route.go`, `MirrorPercent`; Envoy's `shouldShadow`)."""

from __future__ import annotations

from mirror_addon.istio.mirror_annotations import MirrorAnnotations
from mirror_addon.istio.resources.virtual_service import Destination
from mirror_addon.istio.resources.virtual_service import HTTPRoute
from mirror_addon.routing.clusters import ORIGINAL_DESTINATION
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.destinations import ResolvedDestination
from mirror_addon.routing.fractions import ALWAYS
from mirror_addon.routing.fractions import Fraction
from mirror_addon.routing.fractions import from_integer
from mirror_addon.routing.fractions import from_percent
from mirror_addon.routing.header_edits import HeaderEdit
from mirror_addon.routing.sampling import holds


def mirror_destinations(http: HTTPRoute) -> list[tuple[Destination, Fraction]]:
    """Return a route's mirrors in document order, `mirror` before `mirrors`.

    A missing percentage means all requests; zero, or `{}`, means none. `mirrorPercentage` takes precedence over
    `mirrorPercent` even where it is zero. Neither applies to `mirrors`.
    """
    found = []
    if http.mirror is not None:
        if http.mirror_percentage is not None:
            fraction = from_percent(http.mirror_percentage)
        elif http.mirror_percent is not None:
            fraction = from_integer(http.mirror_percent)
        else:
            fraction = ALWAYS
        found.append((http.mirror, fraction))
    for policy in http.mirrors:
        if policy.destination is not None:
            fraction = ALWAYS if policy.percentage is None else from_percent(policy.percentage)
            found.append((policy.destination, fraction))
    return found


class MirrorPolicy:
    """One compiled mirror."""

    __slots__ = (
        "_denominator", "_numerator", "annotations", "cluster", "edit", "fraction", "path_prefix", "target", "timeout",
    )  # fmt: skip

    def __init__(
        self,
        target: ResolvedDestination | Cluster,
        fraction: Fraction,
        timeout: float | None,
        path_prefix: bytes = b"",
        annotations: MirrorAnnotations | None = None,
    ) -> None:
        """`timeout` is the route's, in seconds; `path_prefix` is put before the shadow's path."""
        self.target = target if isinstance(target, ResolvedDestination) else None
        self.cluster = target.sole if isinstance(target, ResolvedDestination) else target
        self.fraction = fraction
        self.timeout = timeout
        self.path_prefix = path_prefix
        self.annotations = annotations
        self.edit = shadow_edit(annotations)
        self._numerator = fraction.numerator  # copies, because `decide` reads them for each request
        self._denominator = fraction.denominator

    @property
    def any_cluster(self) -> Cluster:
        """Its cluster, for a listing; where the cluster depends on the port, that of one port."""
        if self.cluster is not None:
            return self.cluster
        assert self.target is not None
        return self.target.any_port()

    @property
    def label(self) -> str:
        return self.any_cluster.label

    def has_endpoint(self, cluster: Cluster) -> bool:
        """Whether a shadow can be sent to `cluster`. A shadow has no client connection, so no original destination."""
        return cluster.resolves_request_host or cluster.endpoints not in ((), (ORIGINAL_DESTINATION,))

    def cluster_at(self, port: int) -> Cluster:
        """Return the cluster for a request that arrived on `port`."""
        if self.cluster is None:
            assert self.target is not None
            return self.target.at(port)
        return self.cluster

    def decide(self, draw: int, port: int, authority: bytes, obstacle: str | None, number: int | None = None) -> Mirror:
        """Decide whether a request that arrived on `port` and leaves with `authority` is mirrored, and where to.

        `obstacle` is the reason why no mirror of this request is sent (`local_reply`, `method`), or None. `number` is
        the user's number where sampling is by user; it then replaces the draw.
        """
        cluster = self.cluster
        if cluster is None:
            cluster = self.cluster_at(port)
        endpoint = cluster.pick(draw, authority)
        if endpoint is ORIGINAL_DESTINATION:
            endpoint = None
        sampled = draw % self._denominator < self._numerator if number is None else holds(self.fraction, number)
        skipped = obstacle
        if not sampled:
            skipped = None
        elif endpoint is None and obstacle is None:
            skipped = "no_endpoint"
        mirror = Mirror(cluster, endpoint, self.fraction.percent, sampled, skipped, self.timeout, self.path_prefix)
        if self.annotations is not None:
            mirror.annotations = self.annotations
            mirror.edit = self.edit
            mirror.number = number
        return mirror


def shadow_edit(annotations: MirrorAnnotations | None) -> HeaderEdit | None:
    """Return the edit of `mirror-addon/remove-headers` and `mirror-addon/set-headers`: removes, then sets."""
    if annotations is None or not (annotations.remove_headers or annotations.set_headers):
        return None
    removed = frozenset(name.lower().encode() for name in annotations.remove_headers)
    sets = tuple((name.encode(), value.encode()) for name, value in annotations.set_headers)
    return HeaderEdit(
        removed | {name.lower() for name, _ in sets},
        sets,
        (),
        tuple(
            [f"remove {name}" for name in annotations.remove_headers]
            + [f"set {name}: {value}" for name, value in annotations.set_headers]
        ),
    )
