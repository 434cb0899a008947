"""`mirror_twin` with real mitmdump, real workers, and two shops that give their own ids."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bench.twin_sessions import Browser
from bench.twin_sessions import over_http
from bench.twin_sessions import session
from bench.twin_shop import V1
from bench.twin_shop import V2
from bench.twin_shop import V2_UUIDS
from bench.twin_shop import Server
from bench.twin_shop import Shop
from click.testing import CliRunner
from livetools.proxy import Proxy
from livetools.recorder import PATIENCE

from mirror_addon.cli.main import main

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: shop
  annotations: {mirror-addon/twin: "true"}
spec:
  hosts: [shop.test]
  http:
  - route: [{destination: {host: shop, subset: v1}}]
    mirror: {host: shop, subset: v2}
"""


def record_of(path: Path, count: int) -> list[dict[str, Any]]:
    """The lines of a record, once there are so many."""
    wait_for(lambda: path.exists() and path.read_bytes().count(b"\n") >= count)
    return [json.loads(line) for line in path.read_text().splitlines()]


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def endpoints(v1: Server, v2: Server) -> list[str]:
    return [
        part
        for name, server in (("v1", v1), ("v2", v2))
        for part in ("--set", f"mirror_endpoints=shop/{name}=127.0.0.1:{server.port}")
    ]


def test_sessions_by_the_annotation_and_a_replay_of_them(confdir: Path, tmp_path: Path) -> None:
    """Two workers, interleaved clients, a mirror slower than the primary; then another mirror, from the record."""
    (tmp_path / "rules.yaml").write_text(RULES)
    record, luck = tmp_path / "pairs.jsonl", random.Random(1)
    first, second, third = Shop(V1), Shop(V2), Shop(V2_UUIDS)
    with Server(first) as v1, Server(second, lambda *_: luck.random() * 0.02) as v2, Server(third) as v3:
        options = [f"mirror_rules={tmp_path}", f"mirror_record={record}", "mirror_record_bodies=true"]
        options += ["mirror_workers=2", "mirror_redact=X-Secret"]
        settings = [part for option in options for part in ("--set", option)]
        with Proxy(confdir, *settings, *endpoints(v1, v2)) as proxy, contextlib.ExitStack() as stack:
            browsers = [Browser(stack.enter_context(over_http(proxy.address[1]))) for _ in range(3)]
            threads = [
                threading.Thread(target=session, args=(browser, f"user-{number}", random.Random(number)))
                for number, browser in enumerate(browsers)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            pairs = record_of(record, len(v1.raw))
        assert not sum(browser.refused for browser in browsers)
        assert [each for each in pairs if each["primary"]["status"] != each["shadow"]["status"]] == []
        assert [each["differences"] for each in pairs if each["verdict"] == "different"] == []
        assert first.contents() == second.contents()
        ids = {each["id"] for each in pairs}
        translations = [translation for each in pairs for translation in each["twin"]]
        assert {translation["from"] for translation in translations} <= ids
        assert proxy.totals["adapted.twin"] == sum(bool(each["twin"]) for each in pairs)
        assert "adapted.twin_missing" not in proxy.totals

        command = ["replay", str(record), "--rules", str(tmp_path / "rules.yaml"), "--speed", "max", "--json"]
        command += ["--endpoint", f"shop/v2=127.0.0.1:{v3.port}", "-o", str(tmp_path / "again.jsonl")]
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 0, result.output
        again = record_of(tmp_path / "again.jsonl", len(pairs))
        assert [each["url"] for each in again if each["primary"]["status"] != each["shadow"]["status"]] == []
        assert first.contents() == third.contents()


def test_a_mirror_that_hangs_and_a_worker_that_is_lost(confdir: Path, tmp_path: Path) -> None:
    record, hangs = tmp_path / "pairs.jsonl", threading.Event()
    hangs.set()

    def delay(method: str, target: str) -> float:
        while hangs.is_set() and method == "POST" and target == "/orders":
            time.sleep(0.02)
        return 0.0

    first, second = Shop(V1), Shop(V2)
    with Server(first) as v1, Server(second, delay) as v2:
        options = [f"mirror_to=http://127.0.0.1:{v2.port}", "mirror_twin=true", f"mirror_record={record}"]
        options += ["mirror_timeout=1s"]
        settings = [part for option in options for part in ("--set", option)]
        reverse = ("--mode", f"reverse:http://127.0.0.1:{v1.port}")
        with Proxy(confdir, *reverse, *settings) as proxy, contextlib.ExitStack() as stack:
            one, other = (Browser(stack.enter_context(over_http(proxy.address[1]))) for _ in range(2))
            order = one.ask("POST", "/orders", {"product_id": 1001, "quantity": 1, "owner": "a"}).data["id"]
            one.ask("GET", f"/orders/{order}")
            other.ask("GET", "/products")
            wait_for(lambda: [each[1] for each in second.requests] == ["/products"])
            pairs = {each["url"].removeprefix("http://shop.test/"): each for each in record_of(record, 3)}
            assert pairs["products"]["verdict"] in ("same", "noise")
            assert pairs["orders"]["shadow"]["error"] == "timeout"
            missing = pairs[f"orders/{order}"]
            assert (missing["shadow"]["status"], missing["twin"]) == (404, [])
            hangs.clear()
            order = one.ask("POST", "/orders", {"product_id": 1001, "quantity": 1, "owner": "a"}).data["id"]
            one.ask("GET", f"/orders/{order}")
            (translated,) = [each for each in record_of(record, 5) if each["url"].endswith(f"/orders/{order}")]
            assert translated["twin"][0]["primary"] == str(order)
            for pid in proxy.workers:
                os.kill(pid, signal.SIGKILL)
            proxy.wait_for("the mirror's ids are lost with the worker process that learned them")
            one.ask("GET", f"/orders/{order}")
            lost = [each for each in record_of(record, 6) if each["url"].endswith(f"/orders/{order}")][1]
            assert (lost["shadow"]["status"], lost["twin"]) == (404, [])
        assert proxy.output.count("the mirror's ids are lost") == 1
        assert proxy.totals["adapted.twin_missing"] == 1


@pytest.mark.parametrize("twin", ["yes", "True", ""])
def test_an_annotation_that_is_wrong(tmp_path: Path, twin: str) -> None:
    (tmp_path / "rules.yaml").write_text(RULES.replace('"true"', f'"{twin}"'))
    result = CliRunner().invoke(main, ["check", str(tmp_path)])
    assert result.exit_code == 1
    assert "mirror-addon/twin" in result.output and "write" in result.output
