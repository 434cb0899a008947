"""Rules and script edited while mitmdump runs."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from livetools.client import Client
from livetools.client import exchange
from livetools.proxy import ROOT
from livetools.proxy import Proxy
from livetools.recorder import PATIENCE
from livetools.recorder import Recorder
from livetools.worked_example import assert_shadow
from livetools.worked_example import endpoints
from livetools.worked_example import request

SOON = 2.0
"""Seconds within which a change must be in force, on a machine that has time."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what `mitmdump -s mirror_addon` needs, free to be edited."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copy(ROOT / "mirror_addon", folder)
    shutil.copytree(ROOT / "rules", folder / "rules")
    (folder / "src").symlink_to(ROOT / "src")
    return folder


@pytest.fixture(scope="module")
def proxy(confdir: Path, checkout: Path, upstreams: tuple[Recorder, Recorder]) -> Iterator[Proxy]:
    with Proxy(confdir, "--mode", "reverse:http://127.0.0.1:9", *endpoints(*upstreams), cwd=checkout) as running:
        yield running


def target_at_v1(proxy: Proxy, v1: Recorder, v2: Recorder) -> bytes:
    """Where `/serviceB/x` goes now; the shadow must have gone there too."""
    assert exchange(proxy.address, request(b"GET /serviceB/x")).status == 200
    primary = v1.one()
    assert_shadow(primary, v2.one())
    return primary.target


def arrives_as(target: bytes, proxy: Proxy, v1: Recorder, v2: Recorder) -> bool:
    return target_at_v1(proxy, v1, v2) == target


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return met


def rewrite_to(checkout: Path, path: str) -> str:
    return (ROOT / "rules" / "virtual-service.yaml").read_text().replace("uri: /\n", f"uri: {path}\n")


def test_an_edit_is_in_force_within_two_seconds(proxy: Proxy, checkout: Path, v1: Recorder, v2: Recorder) -> None:
    """Once in a few attempts: whatever else the machine does can only make it later."""
    assert target_at_v1(proxy, v1, v2) == b"//x"
    took = []
    while not took or min(took) > SOON:
        assert len(took) < 8, took
        edited = b"/edited%d" % len(took)
        started = time.monotonic()
        (checkout / "rules" / "virtual-service.yaml").write_text(rewrite_to(checkout, edited.decode()))
        assert within(PATIENCE, partial(arrives_as, edited + b"/x", proxy, v1, v2))
        took.append(time.monotonic() - started)


def test_a_rename_over_the_file_as_editors_do(proxy: Proxy, checkout: Path, v1: Recorder, v2: Recorder) -> None:
    (checkout / "rules" / "virtual-service.yaml.new").write_text(rewrite_to(checkout, "/renamed"))
    os.replace(checkout / "rules" / "virtual-service.yaml.new", checkout / "rules" / "virtual-service.yaml")
    assert within(PATIENCE, lambda: target_at_v1(proxy, v1, v2) == b"/renamed/x")


def test_a_request_on_an_old_connection_meets_the_new_rules(
    proxy: Proxy, checkout: Path, v1: Recorder, v2: Recorder
) -> None:
    with Client(proxy.address) as client:
        client.exchange(request(b"GET /serviceB/x"))
        v1.one(), v2.one()
        (checkout / "rules" / "virtual-service.yaml").write_text(rewrite_to(checkout, "/next"))
        assert within(PATIENCE, lambda: target_at_v1(proxy, v1, v2) == b"/next/x")
        client.exchange(request(b"GET /serviceB/x"))
        assert v1.one().target == v2.one().target == b"/next/x"


@pytest.mark.parametrize(
    ("old", "new"), [("http:", "http: ["), ("mirror:", "miror:"), ("mirror_percent: 100", "mirror_percent: lots")]
)
def test_a_broken_edit_keeps_the_old_rules_and_says_so(
    proxy: Proxy, checkout: Path, v1: Recorder, v2: Recorder, old: str, new: str
) -> None:
    file = checkout / "rules" / "virtual-service.yaml"
    file.write_text(rewrite_to(checkout, "/kept"))
    assert within(PATIENCE, lambda: target_at_v1(proxy, v1, v2) == b"/kept/x")
    said = len(proxy.output)
    file.write_text(rewrite_to(checkout, "/broken").replace(old, new))
    proxy.wait_for(r"virtual-service\.yaml:\d+:\d+: ", after=said)
    assert target_at_v1(proxy, v1, v2) == b"/kept/x"
    file.write_text(rewrite_to(checkout, "/mended"))
    assert within(PATIENCE, lambda: target_at_v1(proxy, v1, v2) == b"/mended/x")


def test_a_folder_that_vanishes_keeps_the_old_rules(proxy: Proxy, checkout: Path, v1: Recorder, v2: Recorder) -> None:
    before = target_at_v1(proxy, v1, v2)
    said = len(proxy.output)
    (checkout / "rules").rename(checkout / "away")
    proxy.wait_for(r"rules", after=said)
    assert target_at_v1(proxy, v1, v2) == before
    (checkout / "away" / "virtual-service.yaml").write_text(rewrite_to(checkout, "/back"))
    (checkout / "away").rename(checkout / "rules")
    assert within(PATIENCE, lambda: target_at_v1(proxy, v1, v2) == b"/back/x")


def test_an_emptied_folder_is_an_empty_table(proxy: Proxy, checkout: Path, v1: Recorder, v2: Recorder) -> None:
    said = len(proxy.output)
    file = checkout / "rules" / "virtual-service.yaml"
    text = file.read_text()
    kept = {other: other.read_text() for other in (checkout / "rules").iterdir()}
    for other in kept:
        other.unlink()
    assert within(PATIENCE, lambda: exchange(proxy.address, request(b"GET /serviceB/x")).status == 502)
    assert len(proxy.output) > said
    for other, content in kept.items():
        other.write_text(content)
    assert text
    assert within(PATIENCE, lambda: exchange(proxy.address, request(b"GET /serviceB/x")).status == 200)
    v1.restore()
    v2.restore()


def test_saving_the_script_reloads_it(proxy: Proxy, checkout: Path, v1: Recorder, v2: Recorder) -> None:
    target_at_v1(proxy, v1, v2)
    before = proxy.workers
    said = len(proxy.output)
    script = checkout / "mirror_addon"
    script.write_text(script.read_text() + "\nimport logging\nlogging.warning('saved again')\n")
    proxy.wait_for("saved again", after=said)
    target_at_v1(proxy, v1, v2)
    assert before
    assert within(PATIENCE, lambda: len(proxy.workers) == len(before) and not proxy.workers & before)
    target_at_v1(proxy, v1, v2)
