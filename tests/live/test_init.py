"""From a team's folder to running services with the commands that `mirror-addon init` and its output name."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

from inittools import V1_AND_V2
from jsonschema import Draft7Validator
from livetools.client import exchange
from livetools.proxy import Proxy
from livetools.proxy import tool
from livetools.recorder import Recorder
from livetools.wire import lines

from mirror_addon.compare.record_schema import RECORD_SCHEMA


def test_the_command_that_it_ends_with_runs(
    tmp_path: Path, confdir: Path, upstreams: tuple[Recorder, Recorder]
) -> None:
    v1, v2 = upstreams
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "rules.yaml").write_text(V1_AND_V2)
    endpoints = ["--endpoint", f"cart/v1={v1}", "--endpoint", f"cart/v2={v2}"]
    command = [tool("mirror-addon"), "init", "--rules", "team", "-o", "local.yaml", *endpoints]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ, check=True, capture_output=True, text=True, timeout=60)
    _, program, *arguments = shlex.split(done.stdout.splitlines()[-1])
    assert program == "dump"
    arguments += ["--set", "mirror_record=pairs.jsonl", "--set", "mirror_record_bodies=true"]
    with Proxy(
        confdir, *arguments, cwd=tmp_path, script=str(Path(__file__).resolve().parents[2] / "mirror_addon")
    ) as proxy:
        request = lines(b"GET http://shop.test/cart HTTP/1.1", b"Host: shop.test")
        assert exchange(proxy.address, request).status == 200
        assert v1.one().target == b"/cart"
        assert v2.one().value(b"host") == b"shop.test-shadow"
    records = (tmp_path / "pairs.jsonl").read_text().splitlines()
    assert len(records) == 1
    Draft7Validator(RECORD_SCHEMA).validate(json.loads(records[0]))
