"""Fixtures of the live tests: real mitmproxy in a subprocess, raw-socket recorders as v1 and v2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from livetools.proxy import Proxy
from livetools.recorder import Recorder
from livetools.worked_example import endpoints


@pytest.fixture(scope="module")
def upstreams() -> Iterator[tuple[Recorder, Recorder]]:
    with Recorder() as v1, Recorder() as v2:
        yield v1, v2


@pytest.fixture
def v1(upstreams: tuple[Recorder, Recorder]) -> Iterator[Recorder]:
    """The primary of the worked example: answers `200 ok` until told otherwise, and again in the next test."""
    yield upstreams[0]
    upstreams[0].restore()
    assert upstreams[0].failures == []


@pytest.fixture
def v2(upstreams: tuple[Recorder, Recorder]) -> Iterator[Recorder]:
    """The mirror of the worked example."""
    yield upstreams[1]
    upstreams[1].restore()
    assert upstreams[1].failures == []


@pytest.fixture(scope="module")
def proxy(confdir: Path, upstreams: tuple[Recorder, Recorder]) -> Iterator[Proxy]:
    """`mitmdump -s mirror_addon` with the worked example's rules, a regular proxy, for all tests of a module."""
    with Proxy(confdir, *endpoints(*upstreams)) as running:
        yield running
