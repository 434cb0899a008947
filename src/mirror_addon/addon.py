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
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from mirror_addon.admission.request_filter import check_filters
from mirror_addon.admission.when import waits_for_end
from mirror_addon.commands.commands import Commands
from mirror_addon.commands.terminal import Terminal
from mirror_addon.diff_view.content_view import NAME as DIFF_VIEW
from mirror_addon.diff_view.content_view import styled
from mirror_addon.diff_view.mirror_diff import MirrorDiff
from mirror_addon.display.log import make_log_safe
from mirror_addon.flows import grpc_streams
from mirror_addon.flows import heads
from mirror_addon.flows.exchange import Exchange
from mirror_addon.flows.hook_guard import HookGuard
from mirror_addon.flows.leaving import head_of
from mirror_addon.flows.leaving import is_killed
from mirror_addon.flows.leaving import keep_destination
from mirror_addon.flows.leaving import response_as_it_came
from mirror_addon.flows.prior_knowledge import PriorKnowledge
from mirror_addon.flows.prior_knowledge import speaks_it
from mirror_addon.flows.response_edits import edit_response
from mirror_addon.flows.upstream_tls import UpstreamTLS
from mirror_addon.host import primary_timeout
from mirror_addon.host import upstream_clock
from mirror_addon.host.changes import HostChanges
from mirror_addon.host.http_streams import HttpStreams
from mirror_addon.live_page.page import LivePage
from mirror_addon.mirroring.copied_hosts import copied
from mirror_addon.mirroring.engine_settings import RULE_OPTIONS
from mirror_addon.mirroring.engine_settings import check_files
from mirror_addon.mirroring.engine_settings import own_options
from mirror_addon.mirroring.engine_settings import values_of
from mirror_addon.mirroring.sandbox_advice import unknown_ports
from mirror_addon.mirroring.sandbox_switch import SandboxSwitch
from mirror_addon.mirroring.shadow_writer import ShadowWriter
from mirror_addon.mirroring.unmatched_log import UnmatchedLog
from mirror_addon.options.settings import BY_NAME
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import Settings
from mirror_addon.options.settings import parse_settings
from mirror_addon.options.settings import update_settings
from mirror_addon.options.unknown_names import unknown_names
from mirror_addon.routing.decision import Action
from mirror_addon.rules.background import exempt_what_is_loaded
from mirror_addon.rules.compare_file import comparison_rules
from mirror_addon.rules.live import LiveRules
from mirror_addon.rules.live import RulesRefused
from mirror_addon.rules.upstream_mode import upstream_mode_line
from mirror_addon.session import Session
from mirror_addon.shadow.local_address import own_address
from mirror_addon.shadow_flows.har import annotate
from mirror_addon.shadow_flows.shown_url import shown_urls

logger = logging.getLogger(__name__)


class MirrorAddon:
    """The addon. One instance lives from a load of the script to the next."""

    name = "mirror"

    def __init__(self) -> None:
        # Not addons of their own: each one more in the chain costs mitmproxy time at every event of every flow.
        self.upstream_tls = UpstreamTLS()
        self.server_connected = upstream_clock.server_connected
        self.prior_knowledge = PriorKnowledge()
        address = own_address().encode()
        self.session = Session(address, LiveRules(address))
        self.exchanges = self.session.exchanges
        self.diff = MirrorDiff(self.session)
        self.commands = Commands(self.session, self.diff.text)
        self.page = LivePage(self.session, self.commands.by_name())
        self.terminal = Terminal()
        self.unmatched_log = UnmatchedLog()
        self._guard = HookGuard(self.exchanges, lambda: self.session.writer.counters if self.session.writer else None)
        guarded = self._guard.around
        # Moments for which mitmproxy has no hook.
        self.leaves, self.begins, self.ends = guarded(self._leaves), guarded(self._begins), guarded(self._ends)
        streams = HttpStreams(self.leaves, self.begins, self.ends)
        self.host = HostChanges(DIFF_VIEW, styled(self.diff.lines), annotate, streams, shown_urls(self.exchanges))
        # mitmproxy's hooks.
        self.requestheaders = guarded(self._requestheaders)
        self.request = guarded(self._request)
        self.response = guarded(self._response)
        self.error = guarded(self._error)
        self.next_layer = guarded(self.prior_knowledge.next_layer)
        self.server_connect = guarded(self._server_connect)
        self.tls_start_server = guarded(self.upstream_tls.tls_start_server)
        self.sandbox = SandboxSwitch(self, guarded, self.session.rules, self.exchanges, self._let_pass)
        self._running = False

    # Life

    def load(self, loader: addonmanager.Loader) -> None:
        make_log_safe()
        self.host.load()
        for option in OPTIONS:
            loader.add_option(option.name, option.kind, option.default, option.help)
        self.commands.register(loader)

    def configure(self, updated: Collection[str]) -> None:
        self.terminal.configure(updated)
        if "mode" in updated and self._running:
            self._tell_mode()
        writer = self.session.writer
        changed = own_options(updated) if writer else frozenset(BY_NAME)
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
        settings = update_settings(writer.settings, values_of(ctx.options, changed))
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
        self.sandbox.apply(writer)
        if comparison is not None:
            writer.compare_by(comparison)
            if self._running:
                self.session.comparison.watch(settings, writer.compare_by)

    def _start(self, changed: frozenset[str]) -> None:
        settings = parse_settings(values_of(ctx.options, BY_NAME))
        comparison = self._check(settings, changed)
        self.session.rules.load(settings)
        writer = self.session.writer = ShadowWriter(settings, self.session.local_address, comparison or "")
        writer.observers += (self.session.statistics, self.terminal)
        self.session.rules.follow(writer.rules_changed)
        self.session.rules.follow(self.unmatched_log.rules_changed)
        self.page.start(settings)
        self.host.apply(fast_hooks=settings.fast_hooks)
        self.sandbox.apply(writer)
        if self._running:  # corrected after a reload of the script that failed
            self._attend(writer)

    @staticmethod
    def _check(settings: Settings, changed: frozenset[str]) -> str | None:
        """Return the text of the rules of comparison, None if they did not change. Raises OptionError."""
        check_filters(settings.to)
        check_files(settings, changed)
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
            if problem := unknown_ports(writer.settings.sandbox, [address[1] for address in server.listen_addrs()]):
                logger.error("mirror: %s", problem)
        writer.look_for_views()
        self._tell_mode()
        self._log_what_is_copied(writer.settings)
        self.session.rules.watch()
        self.session.comparison.watch(writer.settings, writer.compare_by)

    def _tell_mode(self) -> None:
        table = self.session.rules.table
        if table is not None and (line := upstream_mode_line(ctx.options.mode, table)):
            logger.info("mirror: %s", line)

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
        self.sandbox.close()
        return asyncio.ensure_future(self._close(self.session.writer)) if self.session.writer else None

    async def _close(self, writer: ShadowWriter) -> None:
        await writer.close()
        self.terminal.summary(self.session.statistics)

    def _server_connect(self, data: ServerConnectionHookData) -> None:
        self.upstream_tls.server_connect(data)
        self.prior_knowledge.server_connect(data)

    # The way of a request

    def _requestheaders(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        if self.page.serves(flow):
            self.responseheaders = self._guard.around(self._responseheaders)
            raise exceptions.AddonHalt
        table, writer = self.session.rules.table, self.session.writer
        if table is None or writer is None or ((flow.error or not flow.live) and not is_killed(flow)):
            return None
        if flow.request.data.method in heads.UNROUTED_METHODS:
            return None
        gate = writer.gate
        gate.counters.request()
        if flow.is_replay:
            gate.counters.skip("", "replay")
            return None
        request = heads.read_request(flow, self.session.local_address, table.wants_facts)
        draw = random.getrandbits(64)
        decision = table.route(request, draw)
        exchange = Exchange(table, request, draw, decision)
        self._carry_out(flow, exchange, writer)
        # From here on the request is routed, whatever fails.
        exchange.written = head_of(flow)
        self.exchanges[flow] = exchange
        if decision.response_headers:
            self.responseheaders = self._guard.around(self._responseheaders)
        if gate.overrides:
            gate.overrides.apply(decision, draw)
        if flow.response:
            writer.none(exchange, "local_reply")
        elif flow.request.stream and not self.host.streams.taken:
            self.leaves(flow)
        return asyncio.sleep(decision.delay) if decision.delay else None

    def _carry_out(self, flow: http.HTTPFlow, exchange: Exchange, writer: ShadowWriter) -> None:
        """Do to the primary what was decided, except where another addon has responded already: it is not sent then."""
        decision = exchange.decision
        if decision.rule is None:
            self._unmatched(exchange, writer)
        if flow.response or flow.error:
            return
        if decision.response:
            heads.answer(flow, decision.response)
        else:
            self._let_pass(flow, exchange, writer)

    def _let_pass(self, flow: http.HTTPFlow, exchange: Exchange, writer: ShadowWriter) -> None:
        if grpc_streams.is_grpc(flow.request):
            self.responseheaders = self._guard.around(self._responseheaders)
            grpc_streams.stream_request(flow, exchange, gather=waits_for_end(exchange.decision, flow))
            writer.note_call(exchange)
        if exchange.decision.action is Action.ROUTE:
            self._route(flow, exchange, writer)
        elif speaks_it(flow.client_conn):  # what the client takes its destination to speak
            self.prior_knowledge.expect(flow.client_conn, (flow.request.data.host, flow.request.data.port))

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
            return
        heads.apply_options(flow, request, writer.settings)
        if cluster.tls:
            self.upstream_tls.expect(flow.client_conn, endpoint, cluster.tls, request.authority)
        heads.write_request(flow, request, cluster, endpoint)
        if not cluster.tls and cluster.speaks_http2(grpc=exchange.grpc):
            self.prior_knowledge.expect(flow.client_conn, (flow.request.data.host, flow.request.data.port))

    def _request(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        exchange = self.exchanges.get(flow)
        if exchange is None or self.session.writer is None:
            return self.page.serve(flow) if self.page.serves(flow) else None
        grpc_streams.keep_request(flow, exchange)
        if exchange.decision.action is Action.ROUTE and not flow.response:
            heads.frame_body(flow, exchange.decision)
            if exchange.decision.timeout is not None and flow.request.stream:
                primary_timeout.start(flow, exchange.request, exchange.decision.timeout)
        if exchange.leaving is not None:
            self.session.writer.end(flow, exchange)  # it was streamed
        elif not self.host.streams.taken and not flow.response:
            self._leaves(flow)
        return None

    def _leaves(self, flow: http.HTTPFlow) -> None:
        """The request is sent to the primary now, with or without its body; no addon can change it any more."""
        exchange, writer = self.exchanges.get(flow), self.session.writer
        if exchange is None or writer is None:
            return
        keep_destination(flow, exchange.decision)
        if flow.request.data.timestamp_end is None and exchange.decision.action is Action.ROUTE:
            heads.frame_stream(flow, exchange.decision)
        if flow.request.data.trailers:
            exchange.trailers = flow.request.data.trailers.fields
        if exchange.decision.timeout is not None and not flow.request.stream:
            primary_timeout.start(flow, exchange.request, exchange.decision.timeout)
        if not exchange.settled:
            writer.leaves(flow, exchange)

    def _begins(self, flow: http.HTTPFlow) -> None:
        """The head of the primary's response is there, as no addon has seen it yet."""
        exchange = self.exchanges.get(flow)
        if exchange is not None and flow.response:
            exchange.answer_fields = flow.response.data.headers.fields

    def _ends(self, flow: http.HTTPFlow) -> None:
        """The response is complete: the primary's, or one that an addon made instead of sending the request."""
        exchange = self.exchanges.get(flow)
        if exchange is None:
            return
        if exchange.leaving is not None:
            grpc_streams.keep_response(flow, exchange)
            exchange.answer = response_as_it_came(flow)
        elif not exchange.settled and self.session.writer:
            self.session.writer.none(exchange, "local_reply")

    responseheaders: Callable[[http.HTTPFlow], None] | None = None
    """mitmproxy's hook, from the first request on whose answer it is for: a hook that is there costs every flow."""

    def _responseheaders(self, flow: http.HTTPFlow) -> None:
        exchange = self.exchanges.get(flow)
        if exchange is None:
            self._keep_to_page(flow)
            return
        if exchange.decision.response:
            return
        if exchange.decision.response_headers:
            came = exchange.answer_fields is not None or not self.host.streams.taken
            edit_response(flow, exchange, from_upstream=came)
        grpc_streams.stream_response(flow, exchange)

    def _response(self, flow: http.HTTPFlow) -> None:
        exchange = self.exchanges.get(flow)
        if exchange is None:
            self._keep_to_page(flow)
        else:
            grpc_streams.keep_response(flow, exchange)
            if not self.host.streams.taken and not exchange.settled and exchange.leaving is None:
                self._ends(flow)
        if self.session.writer:
            self.session.writer.answered(flow)
        if exchange is not None and flow.response and flow.response.data.trailers:
            heads.drop_trailers(flow)

    def _keep_to_page(self, flow: http.HTTPFlow) -> None:
        """Other addons do not get to see the page's flows, which have no exchange."""
        if self.page.serves(flow):
            raise exceptions.AddonHalt

    def _error(self, flow: http.HTTPFlow) -> None:
        self._keep_to_page(flow)
        if self.session.writer is None:
            return
        exchange = self.exchanges.get(flow)
        if exchange:
            grpc_streams.keep_request(flow, exchange)
            grpc_streams.keep_response(flow, exchange)
            if not exchange.settled or exchange.uploads:
                self.session.writer.abort(exchange)
        self.session.writer.answered(flow)
