"""Makes the pictures that the README shows, of mitmweb and of the live page: `python docs/screenshots.py`.

Needs the package and Playwright installed (`pip install -e '.[browser]'`), and Chromium.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent / "tests" / "live"))

from livetools.browser import MitmwebPage  # noqa: E402
from livetools.browser import chromium  # noqa: E402

from mirror_addon.cli.demo import EXAMPLE_RULES  # noqa: E402
from mirror_addon.demo.proxy import running  # noqa: E402
from mirror_addon.demo.traffic import ASKS  # noqa: E402
from mirror_addon.demo.traffic import send  # noqa: E402
from mirror_addon.demo.upstreams import Upstream  # noqa: E402

SIZE = {"width": 1400, "height": 960}
PAGE_SIZE = {"width": 1200, "height": 1000}
SECONDS_OF_TRAFFIC = 40


def take(url: str) -> None:
    """The demo's flows in mitmweb, with "Mirror Diff" open."""
    with chromium() as browser:
        page = MitmwebPage.opened(browser, url, **SIZE)
        page.open(page.rows("//orders/17", shadow=True).filter(has_text="GET"), "Response")
        page.view("mirror diff")
        page.page.mouse.move(0, 0)
        page.page.wait_for_timeout(4000)  # until "connected" has faded
        page.page.screenshot(path=DOCS / "mitmweb.png")


def take_live_page(proxy: str) -> None:
    """The page at the magic host, as a browser shows it that goes through the proxy."""
    with chromium() as browser:
        page = browser.new_context(viewport=PAGE_SIZE, proxy={"server": proxy}).new_page()
        page.goto("http://mirror-addon.test/")
        page.wait_for_timeout(SECONDS_OF_TRAFFIC * 1000)
        page.screenshot(path=DOCS / "live-page.png")


async def traffic(address: tuple[str, int]) -> None:
    """The demo's requests, again and again."""
    while True:
        for ask in ASKS[:8]:
            await asyncio.to_thread(send, address, ask)
            await asyncio.sleep(0.05)


async def main() -> None:
    async with (
        Upstream("v1", 0.0) as v1,
        Upstream("v2", 0.12) as v2,
        running(EXAMPLE_RULES, v1, v2, web=True) as proxy,
    ):
        for ask in ASKS[:8]:
            await asyncio.to_thread(send, proxy.address, ask)
            await v2.next(5)
        await asyncio.sleep(0.5)  # until the last shadow's flow is in the list, which is loaded once
        await asyncio.to_thread(take, proxy.url)
        going = asyncio.create_task(traffic(proxy.address))
        host, port = proxy.address
        await asyncio.to_thread(take_live_page, f"http://{host}:{port}")
        going.cancel()


asyncio.run(main())
