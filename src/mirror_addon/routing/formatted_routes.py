"""Routes with `%OPERATORS%` in header values, a class of their own, so that other routes do not pay for them."""

from __future__ import annotations

from dataclasses import replace

from mirror_addon.istio.resources.virtual_service import HTTPRoute
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.decision import Rule
from mirror_addon.routing.destinations import Clusters
from mirror_addon.routing.header_edits import HeaderEdit
from mirror_addon.routing.header_formats import Moment
from mirror_addon.routing.header_operations import FormattedEdit
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.routes import CompiledRoute
from mirror_addon.routing.routes import Weighted
from mirror_addon.routing.uris import Rewrite


def compile_route(http: HTTPRoute, rule: Rule, clusters: Clusters, namespace: str, identity: Identity) -> CompiledRoute:
    """Return the compiled route of an HTTPRoute in a document of `namespace`."""
    route = CompiledRoute(http, rule, clusters, namespace, identity.sample_seed)
    edits = [*route.response_edits, *(edit for each in route.destinations for edit in (*each.request, *each.response))]
    if any(isinstance(edit, FormattedEdit) for edit in edits):
        return FormattedRoute(route, http, rule, clusters, namespace, identity)
    return route


class FormattedRoute(CompiledRoute):
    """A route whose header edits are made for each request, once its destination is known.

    Its `destinations` only describe their edits; the edits themselves are in `_own`.
    """

    __slots__ = ("_edge", "_own")

    def __init__(
        self,
        route: CompiledRoute,
        http: HTTPRoute,
        rule: Rule,
        clusters: Clusters,
        namespace: str,
        identity: Identity,
    ) -> None:
        super().__init__(http, rule, clusters, namespace, identity.sample_seed)
        self._edge = identity.use_remote_address
        self._own = route.destinations
        self.destinations = tuple(
            replace(each, request=tuple(map(_described, each.request)), response=()) for each in route.destinations
        )

    def _response_edits(self, chosen: Weighted | None, request: Request) -> tuple[HeaderEdit, ...]:
        edits = self.response_edits if chosen is None else self._own_of(chosen).response
        return _bound(edits, Moment(request, self.rule.name, self._edge))

    def _own_of(self, chosen: Weighted) -> Weighted:
        return self._own[self.destinations.index(chosen)]

    def forward(
        self,
        match: int | None,
        request: Request,
        target: bytes,
        path_end: int,
        rewrite: Rewrite | None,
        draw: int,
        edits: tuple[HeaderEdit, ...],
    ) -> Decision:
        decision = super().forward(match, request, target, path_end, rewrite, draw, edits)
        chosen = self.choose(draw)
        if chosen is None:
            return decision
        own, cluster = self._own_of(chosen), decision.cluster
        moment = Moment(request, self.rule.name, self._edge, cluster)
        headers = request.headers
        for edit in _bound(own.request, moment, for_request=True):
            headers = edit.apply(headers)
        leaving = decision.request
        if leaving is None:
            # Envoy has edited and rewritten the request when it finds no endpoint.
            path = rewrite(target, path_end) if rewrite is not None else target
            edited = replace(request, headers=headers, path=path, authority=own.authority or request.authority)
            response = _bound(own.response, replace(moment, request=edited)) + edits
            missing = cluster.missing if cluster is not None else ""
            return self._unavailable(match, request, cluster, missing.encode(), draw, response)
        leaving.headers, leaving.facts = headers, request.facts
        moment = replace(moment, request=leaving, endpoint=decision.endpoint)
        decision.response_headers = _bound(own.response, moment) + decision.response_headers
        return decision


def _bound(edits: tuple[HeaderEdit, ...], moment: Moment, for_request: bool = False) -> tuple[HeaderEdit, ...]:
    return tuple(edit.bound(moment, for_request) if isinstance(edit, FormattedEdit) else edit for edit in edits)


def _described(edit: HeaderEdit) -> HeaderEdit:
    """Return an edit that does nothing and has the same words."""
    return HeaderEdit(frozenset(), (), (), edit.words)
