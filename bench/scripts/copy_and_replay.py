"""A peer: mirroring as mitmproxy's documentation would have it, a copy of each flow that mitmproxy itself replays.

`--set shadow_port=PORT` on 127.0.0.1. Replays run without a limit, or one slow answer would hold all others.
"""

from __future__ import annotations

from mitmproxy import ctx
from mitmproxy import http
from mitmproxy.addonmanager import Loader


class CopyAndReplay:
    """Replays a copy of each request that a client sent."""

    def load(self, loader: Loader) -> None:
        loader.add_option("shadow_port", int, 0, "Where shadows go.")
        ctx.options.update(client_replay_concurrency=-1)

    def request(self, flow: http.HTTPFlow) -> None:
        if flow.is_replay:
            return
        shadow = flow.copy()
        authority = shadow.request.host_header
        shadow.request.host, shadow.request.port = "127.0.0.1", ctx.options.shadow_port
        shadow.request.host_header = authority
        ctx.master.commands.call("replay.client", [shadow])


addons = [CopyAndReplay()]
