"""A peer: what one writes first, a task of the proxy's own loop for each request, with one `httpx.AsyncClient`.

`--set shadow_port=PORT` on 127.0.0.1. Everything is httpx's default, but that the environment's proxies are left out.
"""

from __future__ import annotations

import asyncio

import httpx
from mitmproxy import ctx
from mitmproxy import http
from mitmproxy.addonmanager import Loader


class NaiveHttpx:
    """Sends each request a second time."""

    def load(self, loader: Loader) -> None:
        loader.add_option("shadow_port", int, 0, "Where shadows go.")

    def running(self) -> None:
        self.client = httpx.AsyncClient(trust_env=False)
        self.tasks: set[asyncio.Task[None]] = set()

    def request(self, flow: http.HTTPFlow) -> None:
        request = flow.request
        shadow = self.client.build_request(
            request.method,
            f"http://127.0.0.1:{ctx.options.shadow_port}{request.path}",
            headers=list(request.headers.fields),
            content=request.raw_content,
        )
        task = asyncio.create_task(self.send(shadow))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def send(self, shadow: httpx.Request) -> None:
        try:
            await self.client.send(shadow)
        except httpx.HTTPError:
            pass


addons = [NaiveHttpx()]
