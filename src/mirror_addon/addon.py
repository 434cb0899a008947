"""MirrorAddon: mitmproxy's options and hooks, each handed to the part that knows."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Collection

from mitmproxy import addonmanager
from mitmproxy import ctx
from mitmproxy import exceptions
from mitmproxy import http

from mirror_addon import flows
from mirror_addon import streamed_bodies
from mirror_addon.background import exempt_what_is_loaded
from mirror_addon.commands import Commands
from mirror_addon.deferred_options import convert_deferred
from mirror_addon.hook_dispatch import HookDispatch
from mirror_addon.live_comparison import LiveComparison
from mirror_addon.live_page.page import LivePage
from mirror_addon.live_rules import LiveRules
from mirror_addon.live_rules import RulesRefused
from mirror_addon.live_statistics import LiveStatistics
from mirror_addon.options import BY_NAME
from mirror_addon.options import OPTIONS
from mirror_addon.options import OptionError
from mirror_addon.options import parse_settings
from mirror_addon.options import unknown_option
from mirror_addon.passage import Passage
from mirror_addon.passage import Passages
from mirror_addon.recording import check_recording
from mirror_addon.routing.decision import Action
from mirror_addon.shadow.local_address import own_address
from mirror_addon.shadowing import Shadowing
from mirror_addon.terminal import Terminal
from mirror_addon.upstream_tls import UpstreamTLS
from mirror_addon.views import content_view
from mirror_addon.views.har_entries import annotate_har
from mirror_addon.views.mirror_diff import MirrorDiff

logger = logging.getLogger(__name__)

PROXY_DEFAULTS = {"keep_host_header": True, "connection_strategy": "lazy"}
"""mitmproxy's options without which a route by Host cannot work, set while they stand at their defaults."""

RULE_OPTIONS = frozenset(
    {
        "mirror_rules",
        "mirror_endpoints",
        "mirror_to",
        "mirror_namespace",
        "mirror_gateways",
        "mirror_use_remote_address",
        "mirror_path_normalization",
        "mirror_sample_seed",
    }
)
"""Options that make another table."""


class MirrorAddon:
    """The addon. One instance lives from a load of the script to the next."""

    name = "mirror"

    def __init__(self) -> None:
        # Not addons of their own: each one more in the chain costs mitmproxy time at every event of every flow.
        self.upstream_tls = UpstreamTLS()
        self.server_connect = self.upstream_tls.server_connect
        self.tls_start_server = self.upstream_tls.tls_start_server
        self.commands = Commands(self)
        self.local_address = own_address().encode()
        self.rules = LiveRules(self.local_address)
        self.comparison = LiveComparison()
        self.statistics = LiveStatistics()
        self.terminal = Terminal()
        self.page = LivePage(self)
        self.diff = MirrorDiff(self)
        self.shadowing: Shadowing | None = None
        """None until a start that succeeded: then nothing is touched."""
        self.passages = Passages()
        self.hook_dispatch = HookDispatch()
        self._running = False
        self._streams_large_bodies = False

    # Life

    def load(self, loader: addonmanager.Loader) -> None:
        for problem in convert_deferred(ctx.options.deferred):
            logger.error("mirror: %s", problem)
        for option in OPTIONS:
            loader.add_option(option.name, option.kind, option.default, option.help)
        self.commands.register(loader)
        content_view.register(self.diff.lines)
        annotate_har()

    def configure(self, updated: Collection[str]) -> None:
        if "stream_large_bodies" in updated:
            self._streams_large_bodies = bool(ctx.options.stream_large_bodies)
        self.terminal.configure(updated)
        if self.shadowing and not any(name in BY_NAME for name in updated):
            self.shadowing.look_for_views()
            return
        try:
            settings = parse_settings({name: getattr(ctx.options, name) for name in BY_NAME})
            check_recording(settings)
            if self.shadowing:
                self.page.listen(settings.web_port)
            if self.shadowing is None or RULE_OPTIONS.intersection(updated):
                self.rules.load(settings)
        except (OptionError, RulesRefused) as error:
            if self.shadowing:
                raise exceptions.OptionsError(str(error)) from None
            # Logged and not raised: mitmproxy then exits with this line, and without a traceback.
            logger.error("mirror: %s", error)
            return
        self.hook_dispatch.apply(ctx.master.addons, fast=settings.fast_hooks)
        if self.shadowing:
            self.shadowing.apply(settings, frozenset(updated))
            if self._running:
                self.comparison.watch(settings, self.shadowing.compare_by)
            return
        self.shadowing = Shadowing(settings, self.local_address)
        self.shadowing.observers += (self.statistics, self.terminal)
        self.rules.follow(self.shadowing.rules_changed)
        self.page.start(settings)
        self._set_proxy_defaults()
        if self._running:  # put right after a reload of the script that failed
            self._attend(self.shadowing)

    def running(self) -> None:
        self._running = True
        for name in ctx.options.deferred:
            if name.startswith("mirror_"):
                logger.error("mirror: %s", unknown_option(name))
        if self.shadowing is None:
            logger.error("mirror: not started, requests pass through; put it right, then save the script again")
            return
        self._attend(self.shadowing)
        exempt_what_is_loaded()

    def _attend(self, shadowing: Shadowing) -> None:
        """What needs listeners and a settled start."""
        if server := ctx.master.addons.get("proxyserver"):
            shadowing.mirroring.listen([(address[0], address[1]) for address in server.listen_addrs()])
        shadowing.look_for_views()
        self.rules.watch()
        self.comparison.watch(shadowing.settings, shadowing.compare_by)

    def done(self) -> Awaitable[None] | None:
        """Drain. Synchronous for a reload of the script, awaited at exit (mitmproxy awaits what a hook returns)."""
        self.hook_dispatch.widen()
        self.rules.close()
        self.comparison.stop()
        self.page.close()
        content_view.unregister()
        self.diff.close()
        return asyncio.ensure_future(self._close(self.shadowing)) if self.shadowing else None

    async def _close(self, shadowing: Shadowing) -> None:
        await shadowing.close()
        self.terminal.summary(self.statistics)

    def _set_proxy_defaults(self) -> None:
        for name, value in PROXY_DEFAULTS.items():
            if not ctx.options.has_changed(name):
                logger.info("mirror: set %s=%s, which routing by Host needs", name, str(value).lower())
                ctx.options.update(**{name: value})

    # The way of a request

    def requestheaders(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        if self.page.serves(flow):
            self.responseheaders = self._responseheaders
            raise exceptions.AddonHalt
        table, shadowing = self.rules.table, self.shadowing
        if table is None or shadowing is None or not flow.live or flow.response or flow.error:
            return None
        if flow.request.data.method in flows.UNROUTED_METHODS:
            return None
        mirroring = shadowing.mirroring
        mirroring.counters.request()
        if flow.is_replay:
            mirroring.counters.skip("", "replay")
            return None
        request = flows.read_request(flow, self.local_address)
        draw = random.getrandbits(64)
        decision = table.route(request, draw)
        if mirroring.overrides:
            mirroring.overrides.apply(decision, draw)
        self.passages[flow] = passage = Passage(table, request, draw, decision)
        if decision.response_headers:
            self.responseheaders = self._responseheaders
        if decision.response:
            flows.answer(flow, decision.response)
            shadowing.none(passage)
        elif decision.action is Action.ROUTE:
            self._route(flow, passage, shadowing)
        if decision.mirrors and not passage.settled:
            if flows.is_upgrade(flow):
                shadowing.none(passage, "upgrade")
            elif flow.request.stream or self._streams_later(flow, passage):
                flow.request.stream = shadowing.tee(flow, passage)
        return asyncio.sleep(decision.delay) if decision.delay else None

    def _route(self, flow: http.HTTPFlow, passage: Passage, shadowing: Shadowing) -> None:
        request, cluster, endpoint = passage.decision.request, passage.decision.cluster, passage.decision.endpoint
        assert request and cluster and endpoint
        if endpoint.address.startswith("unix:"):
            flows.answer(flow, flows.no_unix_sockets(cluster, endpoint))
            shadowing.none(passage, "local_reply")
            return
        if shadowing.settings.request_id:
            flows.give_request_id(request)
        flows.write_request(flow, request, cluster, endpoint)
        if cluster.tls:
            self.upstream_tls.expect(flow.client_conn, endpoint, cluster.tls, request.authority)
        if flow.request.stream or self._streams_later(flow, passage):
            flows.frame_stream(flow)

    def _streams_later(self, flow: http.HTTPFlow, passage: Passage) -> bool:
        """Whether mitmproxy may start to stream this body half-way, when no tee can be put in any more."""
        return (
            self._streams_large_bodies
            and "content-length" not in flow.request.headers
            and flows.can_stream(flow, passage.decision)
        )

    def request(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        passage = self.passages.get(flow)
        if passage is None or self.shadowing is None:
            return self.page.serve(flow) if self.page.serves(flow) else None
        if passage.decision.action is Action.ROUTE and not flow.response:
            flows.frame_body(flow, passage.decision)
        if passage.settled or not passage.decision.mirrors:
            passage.settled = True
        elif passage.uploads is not None:
            streamed_bodies.end(passage)
        elif flow.response:
            self.shadowing.none(passage, "local_reply")
        elif flow.request.raw_content is None:
            self.shadowing.none(passage, "streamed")
        else:
            self.shadowing.offer(flow, passage, flow.request.raw_content)
        return None

    responseheaders: Callable[[http.HTTPFlow], None] | None = None
    """mitmproxy's hook, from the first request on whose answer it is for: a hook that is there costs every flow."""

    def _responseheaders(self, flow: http.HTTPFlow) -> None:
        passage = self.passages.get(flow)
        if passage is None:
            self._keep_to_page(flow)
            return
        if not passage.decision.response_headers or passage.decision.response:
            return
        assert flow.response
        headers = flow.response.headers
        passage.answer_fields = headers.fields
        for edit in passage.decision.response_headers:
            headers.fields = edit.apply(headers.fields)

    def response(self, flow: http.HTTPFlow) -> None:
        if self.passages.get(flow) is None:
            self._keep_to_page(flow)
        if self.shadowing:
            self.shadowing.answered(flow)

    def _keep_to_page(self, flow: http.HTTPFlow) -> None:
        """Other addons do not get to see the page's flows, which have no passage."""
        if self.page.serves(flow):
            raise exceptions.AddonHalt

    def error(self, flow: http.HTTPFlow) -> None:
        self._keep_to_page(flow)
        if self.shadowing is None:
            return
        passage = self.passages.get(flow)
        if passage and not passage.settled:
            self.shadowing.abort(passage)
        self.shadowing.answered(flow)
