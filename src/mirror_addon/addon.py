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

from mirror_addon.admission.request_filter import check_filters
from mirror_addon.commands.commands import Commands
from mirror_addon.commands.terminal import Terminal
from mirror_addon.diff_view.content_view import NAME as DIFF_VIEW
from mirror_addon.diff_view.content_view import styled
from mirror_addon.diff_view.mirror_diff import MirrorDiff
from mirror_addon.display.log import make_log_safe
from mirror_addon.flows import heads
from mirror_addon.flows.exchange import Exchange
from mirror_addon.flows.upstream_tls import UpstreamTLS
from mirror_addon.host.changes import HostChanges
from mirror_addon.live_page.page import LivePage
from mirror_addon.mirroring import tee
from mirror_addon.mirroring.copied_hosts import copied
from mirror_addon.mirroring.engine_settings import check_record
from mirror_addon.mirroring.shadow_writer import ShadowWriter
from mirror_addon.mirroring.unmatched_log import UnmatchedLog
from mirror_addon.options.settings import BY_NAME
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import Settings
from mirror_addon.options.settings import parse_settings
from mirror_addon.options.settings import unknown_names
from mirror_addon.options.settings import update_settings
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import LocalResponse
from mirror_addon.rules.background import exempt_what_is_loaded
from mirror_addon.rules.compare_file import comparison_rules
from mirror_addon.rules.live import LiveRules
from mirror_addon.rules.live import RulesRefused
from mirror_addon.session import Session
from mirror_addon.shadow.local_address import own_address
from mirror_addon.shadow_flows.har import annotate

logger = logging.getLogger(__name__)

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
        address = own_address().encode()
        self.session = Session(address, LiveRules(address))
        self.exchanges = self.session.exchanges
        self.diff = MirrorDiff(self.session)
        self.commands = Commands(self.session, self.diff.text)
        self.page = LivePage(self.session, self.commands.by_name())
        self.terminal = Terminal()
        self.unmatched_log = UnmatchedLog()
        self.host = HostChanges(DIFF_VIEW, styled(self.diff.lines), annotate)
        self._running = False
        self._streams_large_bodies = False

    # Life

    def load(self, loader: addonmanager.Loader) -> None:
        make_log_safe()
        self.host.load()
        for option in OPTIONS:
            loader.add_option(option.name, option.kind, option.default, option.help)
        self.commands.register(loader)

    def configure(self, updated: Collection[str]) -> None:
        if "stream_large_bodies" in updated:
            self._streams_large_bodies = bool(ctx.options.stream_large_bodies)
        self.terminal.configure(updated)
        writer = self.session.writer
        changed = frozenset(updated) & BY_NAME.keys() if writer else frozenset(BY_NAME)
        if writer and not changed:
            writer.look_for_views()
            return
        try:
            if writer:
                self._change(writer, changed)
            else:
                self._start(changed)
        except (OptionError, RulesRefused) as error:
            if writer:
                raise exceptions.OptionsError(str(error)) from None
            # Logged and not raised: mitmproxy then exits with this line, and without a traceback.
            logger.error("mirror: %s", error)

    def _change(self, writer: ShadowWriter, changed: frozenset[str]) -> None:
        """Read and apply only the options that changed; all that may refuse comes first."""
        settings = update_settings(writer.settings, {name: getattr(ctx.options, name) for name in changed})
        comparison = self._check(settings, changed)
        if "mirror_web_port" in changed:
            self.page.listen(settings.web_port)
        if RULE_OPTIONS & changed:
            self.session.rules.load(settings)
        if "mirror_to" in changed:
            self._log_what_is_copied(settings)
        if "mirror_fast_hooks" in changed:
            self.host.apply(fast_hooks=settings.fast_hooks)
        writer.apply(settings, changed)
        if comparison is not None:
            writer.compare_by(comparison)
            if self._running:
                self.session.comparison.watch(settings, writer.compare_by)

    def _start(self, changed: frozenset[str]) -> None:
        settings = parse_settings({name: getattr(ctx.options, name) for name in BY_NAME})
        comparison = self._check(settings, changed)
        self.session.rules.load(settings)
        writer = self.session.writer = ShadowWriter(settings, self.session.local_address, comparison or "")
        writer.observers += (self.session.statistics, self.terminal)
        self.session.rules.follow(writer.rules_changed)
        self.session.rules.follow(writer.samples.rules_changed)
        self.session.rules.follow(self.unmatched_log.rules_changed)
        self.page.start(settings)
        self.host.apply(fast_hooks=settings.fast_hooks)
        if self._running:  # corrected after a reload of the script that failed
            self._attend(writer)

    @staticmethod
    def _check(settings: Settings, changed: frozenset[str]) -> str | None:
        """Raise OptionError for files that cannot be used. Returns the text of the rules of comparison, None where
        they are not among the changed options."""
        check_filters(settings.to)
        if "mirror_record" in changed:
            check_record(settings)
        return comparison_rules(settings) if "mirror_compare" in changed else None

    def running(self) -> None:
        self._running = True
        for certain, message in unknown_names(ctx.options.deferred, ctx.options.keys()):
            logger.log(logging.ERROR if certain else logging.WARNING, "mirror: %s", message)
        if self.session.writer is None:
            logger.error("mirror: not started, requests pass through; put it right, then save the script again")
            return
        self._attend(self.session.writer)
        exempt_what_is_loaded()

    def _attend(self, writer: ShadowWriter) -> None:
        """What needs listeners and a settled start."""
        if server := ctx.master.addons.get("proxyserver"):
            writer.gate.listen([(address[0], address[1]) for address in server.listen_addrs()])
        writer.look_for_views()
        self._log_what_is_copied(writer.settings)
        self.session.rules.watch()
        self.session.comparison.watch(writer.settings, writer.compare_by)

    def _log_what_is_copied(self, settings: Settings) -> None:
        if self._running and self.session.rules.table is not None:
            for line in copied(settings, self.session.rules.table, ctx.options.mode):
                logger.warning("mirror: %s", line)

    def done(self) -> Awaitable[None] | None:
        """Drain. Synchronous for a reload of the script, awaited at exit (mitmproxy awaits what a hook returns)."""
        self.host.take_back()
        self.session.rules.close()
        self.session.comparison.stop()
        self.page.close()
        self.diff.close()
        return asyncio.ensure_future(self._close(self.session.writer)) if self.session.writer else None

    async def _close(self, writer: ShadowWriter) -> None:
        await writer.close()
        self.terminal.summary(self.session.statistics)

    # The way of a request

    def requestheaders(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        if self.page.serves(flow):
            self.responseheaders = self._responseheaders
            raise exceptions.AddonHalt
        table, writer = self.session.rules.table, self.session.writer
        if (
            table is None
            or writer is None
            or not flow.live
            or flow.response
            or flow.error
            or (flow.request.data.method in heads.UNROUTED_METHODS)
        ):
            return None
        gate = writer.gate
        gate.counters.request()
        if flow.is_replay:
            gate.counters.skip("", "replay")
            return None
        request = heads.read_request(flow, self.session.local_address)
        draw = random.getrandbits(64)
        decision = table.route(request, draw)
        if gate.overrides:
            gate.overrides.apply(decision, draw)
        self.exchanges[flow] = exchange = Exchange(table, request, draw, decision)
        if decision.response_headers:
            self.responseheaders = self._responseheaders
        if decision.response:
            self._reply(flow, exchange, decision.response, writer)
        elif decision.action is Action.ROUTE:
            self._route(flow, exchange, writer)
        elif decision.rule is None:
            self._unmatched(exchange, writer)
        if decision.mirrors and not exchange.settled:
            if heads.is_upgrade(flow):
                writer.none(exchange, "upgrade")
            elif flow.request.stream or (self._streams_large_bodies and self._streams_later(flow, exchange)):
                flow.request.stream = writer.tee(flow, exchange)
        return asyncio.sleep(decision.delay) if decision.delay else None

    def _reply(self, flow: http.HTTPFlow, exchange: Exchange, response: LocalResponse, writer: ShadowWriter) -> None:
        heads.answer(flow, response)
        writer.none(exchange)
        if exchange.decision.rule is None:
            self._unmatched(exchange, writer)

    def _unmatched(self, exchange: Exchange, writer: ShadowWriter) -> None:
        """No rule names the request's host or path."""
        writer.counters.unmatched += 1
        if exchange.table is not None:
            self.unmatched_log.note(exchange.table, exchange.request, exchange.decision)

    def _route(self, flow: http.HTTPFlow, exchange: Exchange, writer: ShadowWriter) -> None:
        request, cluster, endpoint = exchange.decision.request, exchange.decision.cluster, exchange.decision.endpoint
        assert request and cluster and endpoint
        if endpoint.address.startswith("unix:"):
            heads.answer(flow, heads.no_unix_sockets(cluster, endpoint))
            writer.none(exchange, "local_reply")
            return
        if writer.settings.request_id:
            heads.give_request_id(request)
        heads.write_request(flow, request, cluster, endpoint)
        if cluster.tls:
            self.upstream_tls.expect(flow.client_conn, endpoint, cluster.tls, request.authority)
        if flow.request.stream or (self._streams_large_bodies and self._streams_later(flow, exchange)):
            heads.frame_stream(flow)

    def _streams_later(self, flow: http.HTTPFlow, exchange: Exchange) -> bool:
        """Whether mitmproxy may start to stream this body half-way, when no tee can be put in any more."""
        return "content-length" not in flow.request.headers and heads.can_stream(flow, exchange.decision)

    def request(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        exchange = self.exchanges.get(flow)
        if exchange is None or self.session.writer is None:
            return self.page.serve(flow) if self.page.serves(flow) else None
        if exchange.decision.action is Action.ROUTE and not flow.response:
            heads.frame_body(flow, exchange.decision)
        if exchange.settled or not exchange.decision.mirrors:
            exchange.settled = True
        elif exchange.uploads is not None:
            tee.end(exchange)
        elif flow.response:
            self.session.writer.none(exchange, "local_reply")
        elif flow.request.raw_content is None:
            self.session.writer.none(exchange, "streamed")
        else:
            self.session.writer.offer(flow, exchange, flow.request.raw_content)
        return None

    responseheaders: Callable[[http.HTTPFlow], None] | None = None
    """mitmproxy's hook, from the first request on whose answer it is for: a hook that is there costs every flow."""

    def _responseheaders(self, flow: http.HTTPFlow) -> None:
        exchange = self.exchanges.get(flow)
        if exchange is None:
            self._keep_to_page(flow)
            return
        if not exchange.decision.response_headers or exchange.decision.response:
            return
        assert flow.response
        headers = flow.response.headers
        exchange.answer_fields = headers.fields
        for edit in exchange.decision.response_headers:
            headers.fields = edit.apply(headers.fields)

    def response(self, flow: http.HTTPFlow) -> None:
        if self.exchanges.get(flow) is None:
            self._keep_to_page(flow)
        if self.session.writer:
            self.session.writer.answered(flow)

    def _keep_to_page(self, flow: http.HTTPFlow) -> None:
        """Other addons do not get to see the page's flows, which have no exchange."""
        if self.page.serves(flow):
            raise exceptions.AddonHalt

    def error(self, flow: http.HTTPFlow) -> None:
        self._keep_to_page(flow)
        if self.session.writer is None:
            return
        exchange = self.exchanges.get(flow)
        if exchange and not exchange.settled:
            self.session.writer.abort(exchange)
        self.session.writer.answered(flow)
