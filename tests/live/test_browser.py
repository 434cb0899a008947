"""mitmweb as a person sees it: in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from livetools.client import exchange
from livetools.recorder import Recorder
from livetools.web import Web
from livetools.worked_example import HOST
from livetools.worked_example import endpoints
from livetools.worked_example import request

pytestmark = pytest.mark.browser


def page(url: str, folder: Path) -> str:
    """The page's elements once its scripts have run, as HTML."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert browser, "needs Chromium (Debian: apt-get install chromium)"
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", *quiet, f"--user-data-dir={folder}"]
    command += ["--window-size=1400,900", "--virtual-time-budget=8000", "--dump-dom", url]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=90).stdout


def test_the_flow_list_shows_the_pair(
    confdir: Path, tmp_path: Path, upstreams: tuple[Recorder, Recorder], v1: Recorder, v2: Recorder
) -> None:
    with Web(confdir, *endpoints(*upstreams)) as web:
        exchange(web.address, request(b"GET http://%b/serviceB/seen" % HOST))
        assert v1.one().target == v2.one().target == b"//seen"
        web.wait_until(lambda: len(web.call("GET", "/flows")) == 2)
        rows = re.findall(r"<tr.*?</tr>", page(web.url, tmp_path), re.DOTALL)
        (shadow,) = (row for row in rows if f"{HOST.decode()}-shadow" in row)
        (primary,) = (row for row in rows if "//seen" in row and row is not shadow)
        assert "👻" in shadow and "👻" not in primary
        assert "200" in shadow and "200" in primary
