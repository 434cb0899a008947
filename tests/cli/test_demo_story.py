from __future__ import annotations

import io
from typing import Literal

import pytest
from rich.cells import cell_len

from mirror_addon.cli.demo_story import Story
from mirror_addon.demo.run import Demonstration
from mirror_addon.demo.run import Sent
from mirror_addon.demo.traffic import ASKS
from mirror_addon.demo.traffic import Got
from mirror_addon.demo.upstreams import Exchange
from mirror_addon.demo.upstreams import Received
from mirror_addon.demo.upstreams import Response
from mirror_addon.display.console import SafeConsole

HOPS = ("X-Forwarded-For", "10.10.2.151"), ("X-Forwarded-For", "10.10.2.151,10.10.2.121")


def exchange(version: str, response: Response, seconds: float) -> Exchange:
    host = "istio.gateway.xxxx.tech" + ("-shadow" if version == "v2" else "")
    received = Received("GET", "//orders", (("Host", host), HOPS[version == "v2"]), b"abc")
    return Exchange(received, response, seconds)


def told(width: int, verbose: bool = False, styled: bool = False) -> list[str]:
    """What the story of three requests prints: one the same, one that differs, one that got lost."""
    file = io.StringIO()
    system: Literal["standard"] | None = "standard" if styled else None
    console = SafeConsole(file=file, width=width, highlight=False, force_terminal=styled, color_system=system)
    story = Story(console, verbose)
    found = Demonstration()
    ok, failed = Response(200, {}, b"[1, 2]"), Response(500, {}, b"")
    for ask, shadow in ((ASKS[0], ok), (ASKS[1], failed), (ASKS[4], None)):
        primary = exchange("v1", ok, 0.0)
        sent = Sent(ask, Got(ok, 0.002), primary, shadow and exchange("v2", shadow, 0.12))
        found.add(sent)
        story.show(sent)
    story.show(Sent(ASKS[5], Got(failed, 0.002), None, None))
    story.end(found)
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [24, 40, 60, 80, 100, 160])
def test_it_fits_every_terminal(width: int) -> None:
    for verbose in (False, True):
        assert max(map(cell_len, told(width, verbose))) <= width


def test_a_line_for_each_request() -> None:
    lines = told(80)
    assert "GET    /request/info        200 200  same" in lines
    assert "GET    /orders?status=ope…  200 500  differs  status 200 → 500" in lines
    assert "POST   /orders              200 -    failed" in lines
    assert "PUT    /orders/17           -   -    failed" in lines
    assert any(
        line.startswith("  X-Forwarded-For  10.10.2.151") and "10.10.2.151,10.10.2.121" in line for line in lines
    )
    assert "NOT AS IT SHOULD BE: POST /orders: v2 received nothing" in lines
    assert "v2 differs in 1 of 2: 1 finding" in lines
    assert len([line for line in lines if "-shadow" in line]) == 1


def test_wide_terminals_show_whole_paths_and_narrow_ones_differences_below() -> None:
    assert any("/orders?status=open&q=%7E  200 500" in line for line in told(120))
    narrow = told(50)
    assert "  status 200 → 500" in [line.rstrip() for line in narrow]
    assert not any("what differs" in line for line in narrow)


def test_what_both_received() -> None:
    text = "\n".join(told(160, verbose=True))
    assert "POST /serviceB/orders  JSON, 33 B → 200 in 2.0 ms" in text
    assert (
        "  v2  GET //orders  Host: istio.gateway.xxxx.tech-shadow  X-Forwarded-For: 10.10.2.151,10.10.2.121  3 B"
        in text
    )
    assert "  v2  received nothing" in text
    assert "  differs  status 200 → 500  +120 ms" in text


def test_colours_say_nothing_that_words_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = told(80, styled=True)
    assert any("\x1b[33mdiffers\x1b[0m" in line for line in coloured)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not any("\x1b[3" in line for line in told(80, styled=True))


def test_a_first_request_without_its_shadow_has_no_table_of_fields() -> None:
    file = io.StringIO()
    Story(SafeConsole(file=file, width=80), False).show(Sent(ASKS[0], Got(Response(502, {}, b""), 0.1), None, None))
    assert "two header fields" not in file.getvalue()
    assert "GET    /request/info        -   -    failed" in file.getvalue()
