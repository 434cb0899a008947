"""MirrorAddon: mitmproxy's options and hooks, each handed to the part that knows."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
import uuid
import weakref
from collections.abc import Awaitable
from collections.abc import Collection
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

from mitmproxy import addonmanager
from mitmproxy import ctx
from mitmproxy import exceptions
from mitmproxy import http

from mirror_addon import flows
from mirror_addon.commands import Commands
from mirror_addon.failure_log import FailureLog
from mirror_addon.live_rules import SHOWN
from mirror_addon.live_rules import LiveRules
from mirror_addon.live_rules import RulesRefused
from mirror_addon.mirroring import Mirroring
from mirror_addon.options import BY_NAME
from mirror_addon.options import OPTIONS
from mirror_addon.options import OptionError
from mirror_addon.options import Settings
from mirror_addon.options import parse_settings
from mirror_addon.options import unknown_option
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.decision import Request
from mirror_addon.routing.table import RouteTable
from mirror_addon.rule_set import RuleSet
from mirror_addon.shadow.counters import Counters
from mirror_addon.shadow.dispatcher import Dispatcher
from mirror_addon.shadow.local_address import own_address
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.request import shadow_request
from mirror_addon.shadow.result import ShadowResult
from mirror_addon.shadow.settings import ShadowSettings
from mirror_addon.shadow.upload import Upload
from mirror_addon.upstream_tls import UpstreamTLS
from mirror_addon.views.shadow_flows import ShadowFlows

logger = logging.getLogger(__name__)

PROXY_DEFAULTS = {"keep_host_header": True, "connection_strategy": "lazy"}
"""mitmproxy's options without which a route by Host cannot work, set while they stand at their defaults."""

KEPT_BODY = 1024 * 1024
"""Bytes of a mirror's answer that are kept for a view."""

RULE_OPTIONS = frozenset(
    {
        "mirror_rules",
        "mirror_endpoints",
        "mirror_to",
        "mirror_namespace",
        "mirror_gateways",
        "mirror_use_remote_address",
        "mirror_path_normalization",
    }
)
"""Options that make another table."""

ENGINE_OPTIONS = frozenset(
    {
        "mirror_concurrency",
        "mirror_workers",
        "mirror_queue",
        "mirror_max_body",
        "mirror_responses",
    }
)
"""Options that make another dispatcher."""


@dataclass(slots=True, weakref_slot=True)
class Passage:
    """What the proxy knows of a request on its way: enough to explain it later, too."""

    table: RouteTable
    request: Request
    draw: int
    decision: Decision
    uploads: list[Upload] | None = None
    """The shadows of a streamed body, or None while it is not streamed."""
    done: bool = False


class MirrorAddon:
    """The addon. One instance lives from a load of the script to the next."""

    name = "mirror"

    def __init__(self) -> None:
        self.upstream_tls = UpstreamTLS()
        self.shadow_flows = ShadowFlows()
        self.failures = FailureLog()
        self.addons = [Commands(self), self.upstream_tls]
        self.settings: Settings | None = None
        self.local_address = own_address().encode()
        self.rules = LiveRules(self.local_address, self._announce)
        self.dispatcher: Dispatcher | None = None
        self.mirroring: Mirroring | None = None
        self.passages: weakref.WeakKeyDictionary[http.HTTPFlow, Passage] = weakref.WeakKeyDictionary()
        self._running = False
        self._numbers = itertools.count()
        self._shows_flows = False
        self._streams_large_bodies = False
        self._draining: set[asyncio.Future[None]] = set()

    # Life

    def load(self, loader: addonmanager.Loader) -> None:
        self._convert_deferred()
        for option in OPTIONS:
            loader.add_option(option.name, option.kind, option.default, option.help)

    def configure(self, updated: Collection[str]) -> None:
        if "stream_large_bodies" in updated:
            self._streams_large_bodies = bool(ctx.options.stream_large_bodies)
        self._keep_answers()
        if self.settings is not None and not any(name in BY_NAME for name in updated):
            return
        try:
            settings = parse_settings({name: getattr(ctx.options, name) for name in BY_NAME})
            if self.settings is None or RULE_OPTIONS.intersection(updated):
                self.rules.load(settings)
        except (OptionError, RulesRefused) as error:
            if self.settings is not None:
                raise exceptions.OptionsError(str(error)) from None
            # Logged and not raised: mitmproxy then exits with this line, and without a traceback.
            logger.error("mirror: %s", error)
            return
        first = self.settings is None
        self.settings = settings
        if first:
            self._set_proxy_defaults()
            self.dispatcher = self._make_dispatcher(settings)
            self.dispatcher.start()
            self.mirroring = Mirroring(settings, self.dispatcher.counters, self.local_address, time.time())
            if self._running:  # put right after a reload of the script that failed
                self._attend()
        elif self.mirroring:
            self.mirroring.apply(settings)
            if ENGINE_OPTIONS.intersection(updated):
                self._replace_dispatcher()

    def running(self) -> None:
        self._running = True
        self._keep_answers()
        for name in ctx.options.deferred:
            if name.startswith("mirror_"):
                logger.error("mirror: %s", unknown_option(name))
        if self.settings is None:
            logger.error("mirror: not started, requests pass through; put it right, then save the script again")
            return
        self._attend()

    def done(self) -> Awaitable[None] | None:
        """Drain. Synchronous for a reload of the script, awaited at exit (mitmproxy awaits what a hook returns)."""
        self._running = False
        self.rules.stop()
        if self.dispatcher is None:
            return None
        return asyncio.ensure_future(self._close(self.dispatcher))

    # The way of a request

    def requestheaders(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        table, mirroring = self.rules.table, self.mirroring
        if table is None or mirroring is None:
            return None
        if not flow.live or flow.response or flow.error or flow.request.data.method in flows.UNROUTED_METHODS:
            return None
        counters = mirroring.counters
        counters.request()
        if flow.is_replay:
            counters.skip("", "replay")
            return None
        request = flows.read_request(flow, self.local_address)
        draw = random.getrandbits(64)
        decision = table.route(request, draw)
        passage = self.passages[flow] = Passage(table, request, draw, decision)
        if decision.response:
            flows.answer(flow, decision.response)
            mirroring.due(request, decision)
            passage.done = True
        elif decision.action is Action.ROUTE:
            assert decision.request and decision.cluster and decision.endpoint
            if mirroring.settings.request_id:
                self._give_request_id(decision.request)
            flows.write_request(flow, decision.request, decision.cluster, decision.endpoint)
            if tls := decision.cluster.tls:
                self.upstream_tls.expect(flow.client_conn, decision.endpoint, tls, decision.request.authority)
            if flow.request.stream:
                flows.frame_stream(flow)
        if decision.mirrors and not passage.done:
            if flows.is_upgrade(flow):
                mirroring.due(request, decision, instead="upgrade")
                passage.done = True
            elif flow.request.stream or self._streams_later(flow):
                self._tee(flow, passage)
        return asyncio.sleep(decision.delay) if decision.delay else None

    def request(self, flow: http.HTTPFlow) -> None:
        passage = self.passages.get(flow)
        if passage is None:
            return
        decision = passage.decision
        if decision.action is Action.ROUTE and not flow.response:
            flows.frame_body(flow)
        if passage.done or not decision.mirrors:
            return
        passage.done = True
        assert self.mirroring
        if passage.uploads is not None:
            for upload in passage.uploads:
                upload.end()
        elif flow.response:
            self.mirroring.due(passage.request, decision, instead="local_reply")
        elif flow.request.raw_content is None:
            self.mirroring.due(passage.request, decision, instead="streamed")
        elif self.dispatcher:
            body = flow.request.raw_content
            for mirror in self.mirroring.due(passage.request, decision):
                shadow = self._shadow(flow, passage, mirror, len(body))
                if self._shows_flows:
                    self.shadow_flows.expect(shadow, flow, body)
                self.dispatcher.offer(shadow, body)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        passage = self.passages.get(flow)
        if passage is None or not passage.decision.response_headers or passage.decision.response:
            return
        assert flow.response
        headers = flow.response.headers
        for edit in passage.decision.response_headers:
            headers.fields = edit.apply(headers.fields)

    def response(self, flow: http.HTTPFlow) -> None:
        if self._shows_flows:
            self.shadow_flows.answered(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        if self._shows_flows:
            self.shadow_flows.answered(flow)
        passage = self.passages.get(flow)
        if passage is None or passage.done:
            return
        passage.done = True
        if passage.uploads is not None:
            for upload in passage.uploads:
                upload.abort("aborted")
        elif self.mirroring:
            self.mirroring.due(passage.request, passage.decision, instead="aborted")

    # Parts

    def _tee(self, flow: http.HTTPFlow, passage: Passage) -> None:
        """Hand a body to the shadows chunk by chunk while it passes; they start with its first byte."""
        forward = flow.request.stream

        def tee(chunk: bytes) -> Any:
            if chunk:
                if passage.uploads is None:
                    passage.uploads = self._open_uploads(flow, passage)
                for upload in passage.uploads:
                    upload.write(chunk)
            return forward(chunk) if callable(forward) else chunk

        flow.request.stream = tee

    def _open_uploads(self, flow: http.HTTPFlow, passage: Passage) -> list[Upload]:
        if not (self.mirroring and self.dispatcher):
            return []
        uploads = []
        for mirror in self.mirroring.due(passage.request, passage.decision):
            shadow = self._shadow(flow, passage, mirror, None)
            if self._shows_flows:
                self.shadow_flows.expect(shadow, flow, None)
            uploads.append(self.dispatcher.open(shadow))
        return uploads

    def _streams_later(self, flow: http.HTTPFlow) -> bool:
        """Whether mitmproxy may start to stream this body half-way, when no tee can be put in any more."""
        return self._streams_large_bodies and "content-length" not in flow.request.headers

    def _shadow(self, flow: http.HTTPFlow, passage: Passage, mirror: Mirror, body: int | None) -> ShadowRequest:
        """The shadow of the request as it leaves, later edits of the hooks (framing) included."""
        assert self.settings and passage.decision.request
        return shadow_request(
            passage.decision.request,
            mirror,
            id=f"{flow.id}/{next(self._numbers)}",
            body=body,
            own_address=self.local_address,
            suffix=self.settings.host_suffix.encode(),
            timeout=self.settings.timeout,
        )

    @staticmethod
    def _give_request_id(request: Request) -> None:
        if not any(name.lower() == b"x-request-id" for name, _ in request.headers):
            request.headers = (*request.headers, (b"x-request-id", str(uuid.uuid4()).encode()))

    def _make_dispatcher(self, settings: Settings, counters: Counters | None = None) -> Dispatcher:
        return Dispatcher(
            ShadowSettings(
                concurrency=settings.concurrency,
                workers=settings.workers,
                queue=settings.queue,
                max_body=settings.max_body,
                keep_body=self._kept(settings),
            ),
            self._on_result,
            counters,
        )

    def _kept(self, settings: Settings) -> int:
        """Bytes of a mirror's answer to keep."""
        keep = settings.responses == "keep" or (settings.responses == "auto" and self._shows_flows)
        return KEPT_BODY if keep else 0

    def _keep_answers(self) -> None:
        """Look again whether anything shows flows: a file to save them in may be named at any time."""
        self._shows_flows = self.shadow_flows.wanted()
        if self.dispatcher and self.settings:
            kept = self._kept(self.settings)
            if self.dispatcher.settings.keep_body != kept:
                self.dispatcher.settings = replace(self.dispatcher.settings, keep_body=kept)

    def _on_result(self, result: ShadowResult) -> None:
        self.failures.note(result)
        if self._shows_flows:
            self.shadow_flows.result(result)

    def _replace_dispatcher(self) -> None:
        """Shadows handed over finish in the old engine; the new one takes over at once."""
        assert self.settings and self.dispatcher and self.mirroring
        old, self.dispatcher = self.dispatcher, self._make_dispatcher(self.settings, self.mirroring.counters)
        self.dispatcher.start()
        closing = asyncio.ensure_future(old.close(self.settings.drain))
        self._draining.add(closing)
        closing.add_done_callback(self._draining.discard)

    async def _close(self, dispatcher: Dispatcher) -> None:
        assert self.settings
        await dispatcher.close(self.settings.drain)
        if self._draining:
            await asyncio.wait(self._draining)
        if dispatcher.counters.requests:
            logger.info("mirror: at the end\n%s", dispatcher.counters.text().rstrip())

    def _attend(self) -> None:
        """What needs listeners and a settled start: knowing the own addresses, watching the files."""
        if self.mirroring and (server := ctx.master.addons.get("proxyserver")):
            self.mirroring.listen([(address[0], address[1]) for address in server.listen_addrs()])
        self.rules.watch()

    def _announce(self, rule_set: RuleSet) -> None:
        if not rule_set.documents and not rule_set.mirrors:
            logger.warning("mirror: there are no rules: every request passes through, and nothing is mirrored")
        for line in rule_set.mirrors[:SHOWN]:
            logger.info("mirror: %s", line)
        if len(rule_set.mirrors) > SHOWN:
            logger.info("mirror: and %d rules more that mirror; see mirror.rules", len(rule_set.mirrors) - SHOWN)

    def _set_proxy_defaults(self) -> None:
        for name, value in PROXY_DEFAULTS.items():
            if not ctx.options.has_changed(name):
                logger.info("mirror: set %s=%s, which routing by Host needs", name, str(value).lower())
                ctx.options.update(**{name: value})

    def _convert_deferred(self) -> None:
        """Look at our options' values before mitmproxy converts them: one it cannot would drop the addon silently."""
        deferred = ctx.options.deferred
        for name in [name for name in deferred if name in BY_NAME]:
            option, given = BY_NAME[name], deferred[name]
            texts = getattr(given, "val", None)  # from --set: a list of strings; from config.yaml: what YAML gave
            problem = ""
            if texts is not None:
                if option.kind is bool and (len(texts) > 1 or (texts and texts[0] not in ("", "true", "false"))):
                    problem = "must be true or false"
                elif option.kind is str and len(texts) != 1:
                    problem = "needs exactly one value"
                shown = " ".join(texts)
            else:
                shown = str(given)
                if option.kind is str and isinstance(given, (int, float)) and not isinstance(given, bool):
                    deferred[name] = str(given)
                elif option.kind is bool or option.kind is str:
                    problem = "" if isinstance(given, option.kind) else f"must be of type {option.kind.__name__}"
                elif isinstance(given, str):
                    deferred[name] = [given]
                elif not (isinstance(given, list) and all(isinstance(text, str) for text in given)):
                    problem = "must be a list of texts"
            if problem:
                logger.error("mirror: %s=%s: %s", name, shown, problem)
                del deferred[name]
