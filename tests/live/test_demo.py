"""`mirror-addon demo` as a user runs it."""

from __future__ import annotations

import re
from pathlib import Path

from livetools.client import exchange
from livetools.proxy import ROOT
from livetools.proxy import Tool
from livetools.proxy import tool
from livetools.wire import lines

START = [tool("python"), "-P", "-c", "from mirror_addon.cli.main import main; main()", "demo"]
"""What the console script `mirror-addon` does, wherever the package comes from."""
PATH = {"PYTHONPATH": str(ROOT / "src")}


def run(folder: Path, *options: str) -> str:
    """The output of the demo in a pipe, where it has 80 columns."""
    with Tool([*START, *options], cwd=folder, env={**PATH, "COLUMNS": ""}) as program:
        code = program.finish(60)
        output = program.output
        assert code == 0, output
    assert max(map(len, output.splitlines())) <= 80
    assert "\x1b[" not in output
    return output


def test_demo_shows_a_line_for_each_of_a_dozen_requests(tmp_path: Path) -> None:
    output = run(tmp_path)
    assert len(output.splitlines()) < 40
    assert output.count("istio.gateway.xxxx.tech-shadow") == 1
    rows = re.findall(r"^[A-Z]+ +/\S+ +(\d+) (\d+)  (same|differs)( +\S.*)?$", output, re.M)
    assert len(rows) == 12
    assert all((verdict == "differs") == bool(text) for _, _, verdict, text in rows)
    assert "v2 differs in 8 of 12: 8 findings" in output


def test_demo_shows_what_both_received(tmp_path: Path) -> None:
    output = run(tmp_path, "--verbose")
    for seen in ("GET //request/info", "HEAD //orders", "DELETE //orders/18", "10.10.2.151,", "status 200 → 500"):
        assert seen in output
    assert output.count("  v1  ") == output.count("  v2  ") == 12


def test_demo_fails_where_the_rules_do_not_mirror(tmp_path: Path) -> None:
    for file in (ROOT / "rules").iterdir():
        (tmp_path / file.name).write_text(file.read_text().replace("prefix: /serviceB", "prefix: /else"))
    with Tool([*START, "--rules", str(tmp_path)], env=PATH) as program:
        code = program.finish(60)
        assert code == 1
        assert "NOT AS IT SHOULD BE: GET /request/info: v1 received nothing" in program.output


def test_demo_says_why_the_proxy_did_not_start(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: [")
    with Tool([*START, "--rules", str(tmp_path)], env=PATH) as program:
        assert program.finish(60) == 1
        assert re.search(r"broken\.yaml:\d+:\d+: ", program.output)


def test_demo_in_mitmweb_runs_until_it_is_interrupted(tmp_path: Path) -> None:
    with Tool([*START, "--web"], cwd=tmp_path, env=PATH) as program:
        url = program.wait_for(r"mitmweb: http://127\.0\.0\.1:(\d+)/\S*", timeout=30)
        proxy = program.wait_for(r"curl -x http://127\.0\.0\.1:(\d+) http://\S+")
        page = exchange(("127.0.0.1", int(url[1])), lines(b"GET / HTTP/1.1", b"Host: 127.0.0.1:" + url[1].encode()))
        assert page.status in (200, 403)
        host = b"istio.gateway.xxxx.tech"
        request = lines(b"GET http://%b/serviceB/orders/17 HTTP/1.1" % host, b"Host: " + host)
        assert exchange(("127.0.0.1", int(proxy[1])), request).status == 200
        assert program.interrupt() == 0
