from __future__ import annotations

from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner
from click.testing import Result

from mirror_addon.cli.export import export
from mirror_addon.cli.export import listen_address
from mirror_addon.envoy.bootstrap import Address

RULES = Path(__file__).resolve().parents[2] / "rules"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(export, ["envoy", "--rules", str(RULES), *arguments])


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:80", Address("127.0.0.1", 80)), ("[::1]:0", Address("::1", 0)), ("::1:7", Address("::1", 7))],
)
def test_addresses(text: str, address: Address) -> None:
    assert listen_address(text) == address


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("127.0.0.1", "an IP address and a port"),
        ("localhost:80", "an IP address and a port"),
        ("", "an IP address and a port"),
        ("127.0.0.1:", "0 to 65535"),
        ("127.0.0.1:65536", "0 to 65535"),
        ("127.0.0.1:-1", "0 to 65535"),
    ],
)
def test_no_addresses(text: str, message: str) -> None:
    with pytest.raises(click.BadParameter, match=message):
        listen_address(text)


def test_equal_rules_result_in_equal_yaml() -> None:
    first, second = run(), run()
    assert first.exit_code == 0, first.output
    assert first.stdout == second.stdout
    found = yaml.safe_load(first.stdout)
    (listener,) = found["static_resources"]["listeners"]
    assert listener["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 8080}
    assert "admin" not in found


def test_options_are_exported() -> None:
    result = run("--listen", "[::1]:81", "--admin", "127.0.0.1:9901", "--set", "enabled=false")
    assert result.exit_code == 0, result.output
    found = yaml.safe_load(result.stdout)
    assert found["admin"]["address"]["socket_address"]["port_value"] == 9901
    assert found["static_resources"]["listeners"][0]["address"]["socket_address"]["address"] == "::1"
    assert "request_mirror_policies" in run().stdout
    assert "request_mirror_policies" not in result.stdout


def test_options_without_an_equivalent_are_named_on_stderr() -> None:
    plain = run()
    result = run("--set", "mirror_methods=safe", "--set", "mirror_expires=1h", "--set", "mirror_max_body=1")
    assert result.exit_code == 0, result.output
    assert result.stdout == plain.stdout
    for name in ("mirror_methods", "mirror_expires", "mirror_max_body"):
        assert f"note: option {name} has no equivalent in Envoy" in result.stderr
        assert name not in plain.stderr


def test_annotations_are_named_on_stderr(tmp_path: Path) -> None:
    text = (RULES / "virtual-service.yaml").read_text()
    annotated = text.replace("name: serviceB\n", "name: serviceB\n  annotations: {mirror-addon/max-rps: '5'}\n", 1)
    (tmp_path / "rules.yaml").write_text(annotated)
    result = CliRunner().invoke(export, ["envoy", "--rules", str(tmp_path)])
    assert "note: VirtualService default/serviceB: annotation mirror-addon/max-rps" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rules", "/nowhere"], "There is no file or folder '/nowhere'"),
        (["--listen", "x"], "IP address"),
        (["--admin", "127.0.0.1:x"], "0 to 65535"),
        (["--set", "mirror_nothing=1"], "mirror_nothing"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
