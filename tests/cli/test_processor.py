from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from click.testing import Result

from mirror_addon.cli.main import main

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.test]
  http: [{route: [{destination: {host: v1}}], mirror: {host: m1}}]
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["processor", *arguments])


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """The command sets up logging for its process."""
    root, package = logging.getLogger(), logging.getLogger("mirror_addon")
    handlers, level = list(root.handlers), package.level
    yield
    root.handlers[:] = handlers
    package.setLevel(level)


@pytest.fixture
def rules(tmp_path: Path) -> str:
    (tmp_path / "rules.yaml").write_text(RULES)
    return str(tmp_path / "rules.yaml")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rules", "/nowhere"), "no file or folder"),
        (("--rules", "RULES", "--listen", "127.0.0.1:99999"), "ADDRESS:PORT"),
        (("--rules", "RULES", "--metrics", "x"), "ADDRESS:PORT"),
        (("--rules", "RULES", "--set", "mirror_queue=none"), "mirror_queue"),
        (("--rules", "RULES", "--record", "/nowhere/r.jsonl"), "/nowhere/r.jsonl"),
        (("--rules", "RULES", "--tls-key", "/nowhere"), "--tls-certificate"),
        (("--rules", "RULES", "--set", "mirror_compare=/nowhere"), "no such file"),
    ],
)
def test_wrong_usage(rules: str, arguments: tuple[str, ...], said: str) -> None:
    result = run(*(rules if each == "RULES" else each for each in arguments))
    assert result.exit_code == 2
    assert said in result.output


def test_a_taken_address(rules: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("--rules", rules, "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert result.exit_code == 2
    assert "name another address" in result.output
