"""The live page as a person uses it: in a real browser, through the proxy and on its own port."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from livetools.browser import chromium
from livetools.client import exchange
from livetools.live_page import LivePage
from livetools.ports import reserved_port
from livetools.proxy import Proxy
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.worked_example import HOST
from livetools.worked_example import endpoints
from livetools.worked_example import request

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Locator
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

JSON = b"Content-Type: application/json"
PHONE = (390, 844)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def proxy(confdir: Path, upstreams: tuple[Recorder, Recorder], v1: Recorder, v2: Recorder) -> Iterator[Proxy]:
    """Whose mirror answers another price, and something nasty."""
    v1.behave(answer(b"200 OK", JSON, body=b'{"price": 12.5}'))
    v2.behave(
        answer(b"200 OK", JSON, body=b'{"price": 12.49, "<img src=x onerror=alert(1)>": "<script>alert(2)</script>"}')
    )
    with reserved_port() as port, Proxy(confdir, *endpoints(*upstreams), "--set", f"mirror_web_port={port}") as running:
        running.wait_for("the live page is at")
        yield running
        # Python 3.11 tells of every connection that mitmproxy cancels at its end.
        deadline = time.monotonic() + 10
        while running.output.count("client connect\n") > running.output.count("client disconnect\n"):
            assert time.monotonic() < deadline, "the browser keeps connections"
            time.sleep(0.05)


class Opened:
    """A page in a tab of its own, and what went wrong in it."""

    def __init__(
        self, browser: Browser, proxy: Proxy, *, proxied: bool, size: tuple[int, int] = (1280, 900), **options: object
    ) -> None:
        found = re.search(r"the live page is at (http://\S+)", proxy.output)
        assert found
        self.url = "http://mirror-addon.test/" if proxied else found[1]
        server = {"server": f"http://127.0.0.1:{proxy.address[1]}"} if proxied else None
        self.context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            proxy=server,  # type: ignore[arg-type]
            **options,  # type: ignore[arg-type]
        )
        self.wrong: list[str] = []
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(15000)
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: self.wrong.append(dialog.message))
        self.page.on("request", self._requested)
        self.page.goto(self.url)

    def _requested(self, request: object) -> None:
        url = urlsplit(request.url)
        if url.netloc != urlsplit(self.url).netloc:
            self.wrong.append(f"asked {url.geturl()}")

    def tile(self, name: str) -> Locator:
        """The number of a tile."""
        return self.page.locator(".tiles div", has=self.page.get_by_text(name, exact=True)).locator("dd").first

    def wait_for_tile(self, name: str, text: str) -> None:
        self.tile(name).get_by_text(text, exact=True).wait_for()

    def close(self) -> None:
        self.context.close()
        assert self.wrong == []


def send(proxy: Proxy, count: int) -> None:
    for number in range(count):
        exchange(proxy.address, request(b"GET http://%b/serviceB/orders/%d" % (HOST, number)))


@pytest.mark.parametrize("proxied", [True, False], ids=["through the proxy", "on its port"])
def test_it_moves_while_traffic_flows(browser: Browser, proxy: Proxy, proxied: bool) -> None:
    opened = Opened(browser, proxy, proxied=proxied)
    page = opened.page
    page.get_by_text("No request has come through the proxy yet").wait_for()
    page.evaluate("window.sameDocument = true")
    send(proxy, 3)
    opened.wait_for_tile("Mirrored", "3")
    assert page.get_by_text("Nothing has been mirrored").count() == 0
    row = page.locator("#routes tbody tr")
    assert row.locator("th").inner_text() == "default/serviceB http[0]"
    assert "path begins with '/serviceB'" in row.inner_text() and "$.price" in row.inner_text()
    assert [cell.inner_text() for cell in row.locator('[data-label="p99"] span').all()] == ["–", "–"]
    patterns = page.locator(".plot.rate .series path.line").evaluate_all(
        "lines => lines.map(line => getComputedStyle(line).strokeDasharray)"
    )
    assert len(set(patterns)) == 3, "lines are told apart without colour"
    order = page.locator("main > section").evaluate_all("sections => sections.map(section => section.id)")
    assert order.index("differing") < order.index("routes")
    plot = page.locator(".plot.rate svg")
    plot.locator("path.reactive").first.wait_for(state="attached")
    before = plot.inner_html()
    first = page.locator("#differing details").first
    first.locator("summary").click()
    assert first.get_by_text("$.price").first.is_visible()
    assert first.get_by_text("<script>alert(2)</script>").first.is_visible()
    send(proxy, 2)
    opened.wait_for_tile("Mirrored", "5")
    page.wait_for_function("before => document.querySelector('.plot.rate svg').innerHTML !== before", arg=before)
    assert page.locator("details[open]").count() == 1
    assert page.evaluate("window.sameDocument")
    opened.close()


def test_buttons_by_keyboard(browser: Browser, proxy: Proxy, v1: Recorder, v2: Recorder) -> None:
    opened = Opened(browser, proxy, proxied=True)
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    for _ in range(10):
        if page.evaluate("document.activeElement.textContent") == "Pause":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Resume", exact=True).wait_for()
    page.locator("#said", has_text="paused").wait_for()
    send(proxy, 1)
    opened.wait_for_tile("Skipped", "1")
    assert v2.received == []
    page.get_by_role("button", name="Resume", exact=True).click()
    page.get_by_role("button", name="Pause", exact=True).wait_for()
    send(proxy, 1)
    opened.wait_for_tile("Mirrored", "1")
    page.get_by_label("Percent").fill("101")
    page.get_by_role("button", name="Set").click()
    page.get_by_text("0 to 100", exact=True).wait_for()
    assert page.evaluate("document.activeElement.name") == "percent"
    page.get_by_label("Percent").fill("0")
    page.get_by_role("button", name="Set").click()
    page.get_by_text("Changed by hand until the proxy ends: 0 % of the requests").wait_for()
    send(proxy, 1)
    opened.wait_for_tile("Skipped", "2")
    page.get_by_role("button", name="Reset to the files").click()
    page.get_by_text("Changed by hand").wait_for(state="detached")
    page.get_by_role("button", name="Pause this rule").click()
    page.get_by_role("button", name="Resume this rule").click()
    page.get_by_role("button", name="Pause this rule").wait_for()
    page.get_by_role("button", name="Stop updates").click()
    send(proxy, 1)
    LivePage(proxy.address).wait_until_told(2)
    page.wait_for_timeout(2500)
    assert opened.tile("Mirrored").inner_text() == "1"
    opened.close()


def test_without_scripts(browser: Browser, proxy: Proxy) -> None:
    opened = Opened(browser, proxy, proxied=False, java_script_enabled=False)
    opened.page.get_by_role("button", name="Pause", exact=True).click()
    opened.page.get_by_role("button", name="Resume", exact=True).wait_for()
    assert opened.page.url == opened.url
    opened.close()


def test_light_dark_and_a_phone(browser: Browser, proxy: Proxy) -> None:
    send(proxy, 2)
    LivePage(proxy.address).wait_until_told(2)
    backgrounds = set()
    for scheme in ("light", "dark"):
        for size in ((1280, 900), PHONE, (280, 600)):
            opened = Opened(browser, proxy, proxied=False, size=size, color_scheme=scheme)
            page = opened.page
            summary = page.locator("#differing summary").first
            summary.click()
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
            assert summary.locator(".origin").is_visible() is (size[0] == 1280), "a phone shows the path"
            assert "/serviceB/orders/" in summary.inner_text() and "$.price" in summary.inner_text()
            backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            opened.close()
    assert len(backgrounds) == 2


def test_another_page_cannot_press_the_buttons(browser: Browser, proxy: Proxy, v1: Recorder) -> None:
    """A page that the user happens to visit through the same proxy."""
    form = (
        b'<form method="post" action="http://mirror-addon.test/pause"><input name="token" value="x"><button>x</button>'
    )
    frame = b'<iframe src="http://mirror-addon.test/"></iframe>'
    v1.behave(answer(b"200 OK", b"Content-Type: text/html", body=form + frame))
    context = browser.new_context(proxy={"server": f"http://127.0.0.1:{proxy.address[1]}"})
    page = context.new_page()
    page.goto(f"http://{HOST.decode()}/serviceB/evil")
    with pytest.raises(Exception, match="Failed to fetch"):
        page.evaluate("fetch('http://mirror-addon.test/api/status.json').then(answer => answer.text())")
    assert not any("mirror_addon" in (frame.content()) for frame in page.frames[1:])
    page.get_by_role("button").click()
    page.get_by_text("The buttons of the live page work only on the live page itself").wait_for()
    context.close()
    assert LivePage(proxy.address).status()["state"] == "mirroring"
