from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from mirror_addon.replay.arguments import parse_selection
from mirror_addon.replay.dry_run import dry_run
from mirror_addon.replay.dry_run import lines
from mirror_addon.replay.order import Repeats
from mirror_addon.replay.player import Pace
from mirror_addon.replay.setup import Setup
from mirror_addon.replay.source import Source
from mirror_addon.replay.source import open_sources


def sources(path: Path) -> list[Source]:
    return open_sources(parse_selection([str(path)], []), b"10.0.0.1", lambda _: None)


def test_documents(setup: Callable[..., Setup], capture: Callable[..., Path]) -> None:
    made = setup(7, pace=Pace(2.0), draw=5)
    first, second = dry_run(made, sources(capture(["/a\x1b", "/private"])))
    (shadow,) = first.pop("shadows")
    assert first == {
        "at": 0.0, "client": "127.0.0.1:22", "method": "GET", "url": "http://shop.example/a\x1b", "draw": 5,
        "action": "route", "rule": "default/shop http[2]", "skipped": {"percent": 1},
    }  # fmt: skip
    fields = dict(shadow.pop("headers"))
    assert shadow == {
        "target": "two.example", "address": "127.0.0.1:7", "authority": "shop.example-shadow", "path": "/a%1B",
        "control": False,
    }  # fmt: skip
    assert fields["x-forwarded-for"] == "10.0.0.1,10.0.0.1"
    assert (second["at"], second["shadows"], second["skipped"]) == (0.5, [], {"when": 1, "percent": 1})


def test_lines_are_printable_and_say_why_there_is_no_shadow(
    setup: Callable[..., Setup], capture: Callable[..., Path]
) -> None:
    made = setup(7, all_mirrors=True)
    found = [list(lines(each)) for each in dry_run(made, sources(capture(["/a\x1b", "/private", "/nowhere"])))]
    assert found[0][0].startswith("+0.000s  GET http://shop.example/a") and "\x1b" not in found[0][0]
    assert len(found[0]) == 3 and found[0][1].startswith("    -> two.example at 127.0.0.1:7  /a")
    assert found[1] == ["+1.000s  GET http://shop.example/private  not mirrored: when 2"]
    assert found[2] == ["+2.000s  GET http://shop.example/nowhere  not mirrored: no_endpoint"]
    (one,) = dry_run(setup(7), sources(capture()))
    assert next(lines(one)).endswith("http://shop.example/a  (skipped: percent)")


def test_an_endless_loop_is_shown_as_one_pass(setup: Callable[..., Setup], capture: Callable[..., Path]) -> None:
    path = capture(["/a", "/b"])
    assert len(list(dry_run(setup(repeats=Repeats(loops=math.inf)), sources(path)))) == 2
    assert len(list(dry_run(setup(repeats=Repeats(amplify=2, loops=3)), sources(path)))) == 12
