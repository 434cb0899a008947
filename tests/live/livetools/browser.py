"""mitmweb's page in a headless Chromium, used as a person uses it."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
import urllib.parse
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Locator
    from playwright.sync_api import Page

GHOST = re.compile("👻|🔴")
"""Marks shadows: those that are the same, and those that differ."""
_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, driven by Playwright; nothing is downloaded."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "needs Chromium (Debian: apt-get install chromium)"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_QUIET))
        try:
            yield browser
        finally:
            browser.close()


class MitmwebPage:
    """One opened page. Every step waits until what it needs is there."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        page.set_default_timeout(15000)
        page.goto(url)

    @classmethod
    def opened(cls, browser: Browser, url: str, width: int = 1400, height: int = 900) -> MitmwebPage:
        return cls(browser.new_page(viewport={"width": width, "height": height}), url)

    def rows(self, path: str, *, shadow: bool) -> Locator:
        """Rows of the flow list whose URL ends with `path`."""
        ghost = self.page.get_by_text(GHOST)
        rows = self.page.locator("tr").filter(has=self.page.get_by_text(re.compile(re.escape(path) + r"\s*$")))
        return rows.filter(has=ghost) if shadow else rows.filter(has_not=ghost)

    def search(self, expression: str) -> None:
        """Show only the flows that a filter matches; an empty one shows all."""
        self.page.get_by_text("Flow List", exact=True).click()
        self.page.get_by_placeholder("Search").fill(expression)

    def wait_for_rows(self, counts: dict[str, int], what: str) -> None:
        """Wait until so many rows of the flow list have each of these texts."""
        deadline = time.monotonic() + 15
        while (found := {text: self.page.locator("tbody tr", has_text=text).count() for text in counts}) != counts:
            assert time.monotonic() < deadline, (what, found)
            self.page.wait_for_timeout(50)

    def open(self, row: Locator, pane: str) -> None:
        """Look at a flow; `pane` is `Request` or `Response`."""
        row.click()
        self.page.locator(".flow-detail nav a", has_text=pane).click()

    def views(self) -> list[str]:
        """What the view selector has, as it is spelled there. It stays open."""
        self.page.locator(".contentview a", has_text="View:").click()
        choices = self.page.locator(".dropdown-menu:visible li")
        choices.first.wait_for()
        return [text.strip() for text in choices.all_inner_texts()]

    def view(self, name: str) -> str:
        """Choose a content view by its name in lower case; its text."""
        spelled = {each.lower(): each for each in self.views()}[name]
        part = re.compile(f"/content/{urllib.parse.quote(name)}\\.json", re.IGNORECASE)
        with self.page.expect_response(part) as answered:
            self.page.locator(".dropdown-menu:visible li").get_by_text(spelled, exact=True).click()
        content = answered.value.json()
        first = content["text"].splitlines()[0] if "text" in content else content["lines"][0][0][1]
        shown = self.page.locator(".contentview pre", has_text=first)
        shown.wait_for()
        return shown.inner_text()

    def command(self, line: str) -> str:
        """Type a command into the command bar; what it answers."""
        box = self.page.get_by_placeholder("Enter command")
        if not box.count():
            self.page.get_by_text("Options", exact=True).click()
            self.page.get_by_text("Display Command Bar").click()
        answers = self.page.locator(".command-result > div")
        before = answers.count()
        box.fill(line)
        box.press("Enter")
        answers.nth(before).wait_for()
        asked, _, answer = answers.nth(before).inner_text().partition("\n")
        assert asked == f"$ {line}"
        return str(json.loads(answer))
