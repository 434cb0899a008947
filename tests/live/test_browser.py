"""mitmweb as a person sees it: in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from livetools.browser import MitmwebPage
from livetools.browser import chromium
from livetools.client import exchange
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.web import Web
from livetools.wire import lines
from livetools.worked_example import HOST
from livetools.worked_example import endpoints
from livetools.worked_example import request
from mitmproxy.version import VERSION as version

pytestmark = pytest.mark.browser

JSON = b"Content-Type: application/json"


@pytest.fixture(scope="module")
def web(confdir: Path, upstreams: tuple[Recorder, Recorder]) -> Iterator[Web]:
    with Web(confdir, *endpoints(*upstreams)) as running:
        yield running


@pytest.fixture(scope="module")
def page(web: Web) -> Iterator[MitmwebPage]:
    with chromium() as browser:
        yield MitmwebPage.opened(browser, web.url)


def ask(web: Web, v1: Recorder, v2: Recorder, path: bytes) -> None:
    """A request that both answer with JSON, and not with the same."""
    v1.behave(answer(b"200 OK", JSON, body=b'{"total": 41.5, "currency": "EUR"}'))
    v2.behave(answer(b"200 OK", JSON, body=b'{"total": 41.49, "currency": "EUR"}'))
    exchange(web.address, request(b"GET http://%b/serviceB%b" % (HOST, path)))
    assert v1.one().target == v2.one().target == b"/" + path


def test_the_flow_list_shows_the_pair(page: MitmwebPage, web: Web, v1: Recorder, v2: Recorder) -> None:
    ask(web, v1, v2, b"/seen")
    primary, shadow = page.rows("/serviceB/seen", shadow=False), page.rows("//seen", shadow=True)
    shadow.wait_for()
    assert primary.count() == shadow.count() == 1
    assert f"http://{HOST.decode()}/serviceB/seen" in primary.inner_text(), "as it was requested"
    assert f"http://{HOST.decode()}-shadow//seen" in shadow.inner_text()
    assert "200" in shadow.inner_text() and "200" in primary.inner_text()
    assert "different: $.total; shadow of " in shadow.inner_text()
    assert "mirrored to serviceB/v2" in primary.inner_text()


def test_mirror_diff_on_either_half(page: MitmwebPage, web: Web, v1: Recorder, v2: Recorder) -> None:
    ask(web, v1, v2, b"/diff")
    texts = []
    for shadow, pane in ((False, "Response"), (True, "Response"), (True, "Request"), (False, "Request")):
        page.open(page.rows("//diff" if shadow else "/serviceB/diff", shadow=shadow), pane)
        texts.append(page.view("mirror diff"))
    assert len(set(texts)) == 1
    told = [line.strip() for line in texts[0].splitlines()]
    assert told[0] == "different · 1 difference"
    assert re.fullmatch(r"shadow +\w{8} -> serviceB/v2, by default/serviceB http\[0\]", told[1])
    at = told.index("$.total: value")
    assert told[at + 1 : at + 3] == ["- 41.5", "+ 41.49"]
    at = told.index("Host")
    assert told[at + 1 : at + 3] == [f"- {HOST.decode()}", f"+ {HOST.decode()}-shadow"]
    assert any(line.startswith("mirror serviceB/v2: sampled: yes (100 %), to ") for line in told)


def test_other_flows_say_why_they_have_no_pair(page: MitmwebPage, web: Web, v1: Recorder) -> None:
    exchange(web.address, lines(b"GET http://%b/elsewhere HTTP/1.1" % str(v1).encode(), b"Host: %b" % str(v1).encode()))
    v1.take()
    page.open(page.rows("/elsewhere", shadow=False), "Response")
    assert "Not mirrored: no rule claims it." in page.view("mirror diff")


def test_the_command_bar(page: MitmwebPage, web: Web, v1: Recorder, v2: Recorder) -> None:
    ask(web, v1, v2, b"/again")
    page.rows("//again", shadow=True).wait_for()
    assert re.match(r"state: mirroring\nshadows: \d+ of \d+ sent, compared \d", page.command("mirror.status"))
    assert page.command('mirror.replay "~u //again"') == "sent 1 shadow of 1 request"
    assert v2.one().target == b"//again"
    page.rows("//again", shadow=True).nth(1).wait_for()
    assert v1.received == []
    told = page.command('mirror.diff "~u //again"').splitlines()
    assert [line for line in told if "difference" in line] == ["different · 1 difference"] * 2


FILTERS = {
    '~comment "shadow of"': (0, 2),
    '! ~comment "shadow of"': (2, 0),
    "~comment ^different": (0, 1),
    '~comment "^different.*total"': (0, 1),
    "~comment ^failed": (0, 0),
    "~replayq": (0, 2),
    "~replayq & ! ~comment ^different": (0, 1),
}
"""Primaries and shadows of the two requests that each filter of docs/reference/mitmweb.md matches."""
OF_12 = {
    "~marker ghost": (0, 2),
    "! ~marker ghost": (2, 0),
    "~marker different": (0, 1),
}
OF_11 = {"~marker 👻": (0, 1), "~marker 🔴": (0, 1)}


def test_the_filters_of_the_docs(page: MitmwebPage, web: Web, v1: Recorder, v2: Recorder) -> None:
    ask(web, v1, v2, b"/filtered-a")
    v2.behave(answer(b"200 OK", JSON, body=b'{"total": 41.5, "currency": "EUR"}'))
    exchange(web.address, request(b"GET http://%b/serviceB/filtered-b" % HOST))
    v1.one(), v2.one()
    page.rows("//filtered-b", shadow=True).wait_for()
    docs = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "mitmweb.md").read_text()
    for expression, (primaries, shadows) in (FILTERS | (OF_11 if version.startswith("11.") else OF_12)).items():
        assert f"`{expression}`" in docs
        page.search(f"{expression} & ~u filtered-")
        page.wait_for_rows({"/serviceB/filtered-": primaries, "-shadow//filtered-": shadows}, expression)
    page.search("")
