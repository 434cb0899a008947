"""A folder with the files that the pages name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from capturetools import dump
from capturetools import exchange
from capturetools import har
from capturetools import line
from doctools import ROOT
from mitmproxy import http

from mirror_addon.compare.record import RecordedRequest

HOST = "istio.gateway.xxxx.tech"
DIFFERENCE = {"path": "$.a", "kind": "value", "primary": 1, "shadow": 2, "noise": "", "where": "$.a"}


def recorded(path: bytes) -> http.HTTPFlow:
    """A request of the worked example with its response."""
    flow = exchange(path=path)
    flow.request.host_header = HOST
    return flow


def pair(number: int) -> str:
    """A line of a record with bodies: a pair that differs."""
    request = RecordedRequest(((b"Host", HOST.encode()),), b"", False)
    url = f"http://{HOST}/serviceB/orders/{number}"
    text = line(f"f{number}", request=request, method="GET", url=url, target="serviceB/v2")
    return json.dumps(json.loads(text) | {"verdict": "different", "differences": [DIFFERENCE]}) + "\n"


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    shutil.copytree(ROOT / "rules", folder / "rules")
    shutil.copytree(ROOT / "examples", folder / "examples")
    shutil.copy(ROOT / "mirror_addon", folder)
    for each in (ROOT / "docs" / "tutorial" / "shop").iterdir():
        shutil.copy(each, folder)
    flows = [recorded(b"/serviceB/orders/%d" % number) for number in range(3)]
    for name in ("yesterday.mitm", "traffic.mitm", "peak.mitm", "before.mitm", "after.mitm"):
        (folder / name).write_bytes(dump(*flows))
    (folder / "traffic.har").write_bytes(har(*flows))
    for name in ("pairs.jsonl", "record.jsonl"):
        (folder / name).write_text("".join(pair(number) for number in range(3)))
    route = {"request": {"method": "GET", "url": f"http://{HOST}/serviceB/x"}, "expect": {"action": "route"}}
    (folder / "routes.jsonl").write_text(json.dumps(route) + "\n")
    return folder


@pytest.fixture
def folder(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the files, as the current folder."""
    copy = tmp_path / "work"
    shutil.copytree(files, copy)
    monkeypatch.chdir(copy)
    monkeypatch.setenv("COLUMNS", "120")
    return copy
