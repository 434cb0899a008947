from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow

from mirror_addon.admission.when import When
from mirror_addon.captures.stream import CaptureError
from mirror_addon.replay.arguments import parse_selection
from mirror_addon.replay.source import Source
from mirror_addon.replay.source import open_sources

Capture = Callable[..., Path]
OWN = b"10.0.0.1"


def opened(paths: list[Path], filters: list[str], warnings: list[str]) -> list[Source]:
    return open_sources(parse_selection([str(path) for path in paths], filters), OWN, warnings.append)


def test_exchanges_are_filtered_and_counted_in_the_first_pass_only(capture: Capture) -> None:
    path = capture(["/a", "/b", "/a"])
    with path.open("ab") as file:
        writer = FlowWriter(file)
        writer.add(tflow.ttcpflow())
        writer.add(tflow.twebsocketflow())
    (source,) = opened([path], [], [])
    for _ in range(2):
        assert [each.request.path for each in source()] == [b"/a", b"/b", b"/a"]
    assert (source.entries, source.filtered, source.left_out) == (5, 0, {"not_http": 1, "websocket": 1})
    (source,) = opened([path], ["~u /a", "~m GET"], [])
    for _ in range(2):
        assert [each.request.path for each in source()] == [b"/a", b"/a"]
    assert (source.entries, source.filtered, source.left_out) == (5, 3, {})
    assert source.size == path.stat().st_size


def test_no_more_is_read_than_is_wanted(capture: Capture) -> None:
    source = Source(capture(["/a", "/b", "/c", "/d"]), [When("! ~u /a")], OWN, lambda _: None, most=2)
    assert [each.request.path for each in source()] == [b"/b", b"/c"]
    assert (source.entries, source.filtered) == (3, 1)


def test_warnings_are_given_once(capture: Capture) -> None:
    path = capture(["/a", "/b"])
    path.write_bytes(path.read_bytes()[:-5])
    warnings: list[str] = []
    (source,) = opened([path], [], warnings)
    assert warnings == [], "opening reads the first exchange only"
    for _ in range(2):
        assert len(list(source())) == 1
    assert len(warnings) == 1


def test_a_capture_without_exchanges_is_refused_unless_another_has_some(capture: Capture, tmp_path: Path) -> None:
    empty = tmp_path / "empty.har"
    empty.write_text('{"log": {"version": "1.2", "entries": []}}')
    with pytest.raises(CaptureError, match=r"There is no request in .*empty\.har; record some"):
        opened([empty], [], [])
    assert [source.empty for source in opened([empty, capture()], [], [])] == [True, False]


def test_what_is_no_capture_is_refused_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("hello")
    with pytest.raises(CaptureError, match="neither"):
        opened([tmp_path / "a"], [], [])
