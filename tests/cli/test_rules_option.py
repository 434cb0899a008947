from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mirror_addon.cli.rules_option import read_rule_set
from mirror_addon.cli.rules_option import read_settings
from mirror_addon.cli.rules_option import rules_options

RULES = Path(__file__).resolve().parents[2] / "rules"


@click.command()
@rules_options
def show(rules: tuple[str, ...], assignments: tuple[str, ...]) -> None:
    click.echo(repr((rules, assignments)))


def test_both_options_may_be_repeated() -> None:
    arguments = ["--rules", "a", "--set", "b=c", "--rules", "d", "--set", "e"]
    assert CliRunner().invoke(show, arguments).output == "(('a', 'd'), ('b=c', 'e'))\n"
    assert CliRunner().invoke(show, []).output == "((), ())\n"


def test_options_are_read_as_by_mitmproxy() -> None:
    settings = read_settings(
        ["x"],
        ["mirror_timeout=3s", "timeout=4s", "mirror_gateways=mesh", "gateways=a/b", "enabled=false", "request_id"],
    )
    assert settings.rules == ("x",)
    assert settings.timeout == 4.0, "the last one counts"
    assert len(settings.gateways or ()) == 2, "lists are appended to"
    assert (settings.enabled, settings.request_id) == (False, True)
    assert read_settings([], []).rules == ("rules",)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("mirror_enabled=yes", "mirror_enabled=yes: must be true or false"),
        ("mirror_timeout=soon", "mirror_timeout"),
        ("mirror_timeuot=1s", "mirror_timeout"),
        ("nothing=1", "nothing"),
    ],
)
def test_wrong_options(assignment: str, message: str) -> None:
    with pytest.raises(click.UsageError, match=message):
        read_settings([], [assignment])


def test_the_rule_set_and_its_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.yaml").write_text("apiVersion: networking.istio.io/v1\nkind: Gatewayy\n")
    given = ["endpoints=nowhere=127.0.0.1:1"]
    rule_set = read_rule_set(read_settings([str(RULES), str(tmp_path)], given), b"10.0.0.1")
    assert rule_set.documents and not rule_set.broken
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "broken.yaml:2:7: error IST0106" in printed.err
    assert "warning: mirror_endpoints: nowhere has no effect" in printed.err
    (tmp_path / "broken.yaml").write_text("kind: [")
    with pytest.raises(click.UsageError, match="The rules cannot be read"):
        read_rule_set(read_settings([str(RULES), str(tmp_path)], []), b"10.0.0.1")
    assert "broken.yaml:2:1: error IST0106" in capsys.readouterr().err


def test_a_missing_path_is_wrong_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(click.UsageError, match="There is no file or folder 'gone'"):
        read_rule_set(read_settings(["gone"], []), b"10.0.0.1")
    with pytest.raises(click.UsageError, match="There is no file or folder 'rules'"):
        read_rule_set(read_settings([], []), b"10.0.0.1")
    read_rule_set(read_settings([], ["mirror_to=http://127.0.0.1:1"]), b"10.0.0.1")


def test_without_strict_the_documents_that_are_left_out_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: %s}\n"
        "spec: {hosts: [%s], http: [{directResponse: {status: 204}}]}\n"
    )
    (tmp_path / "a.yaml").write_text(text % ("good", "a.test") + "---\n" + text % ("bad", "a_b.test"))
    for assignments, hosts, left_out in ((["strict=false"], 1, 1), ([], 2, 0)):
        rule_set = read_rule_set(read_settings([str(tmp_path)], assignments), b"192.0.2.1")
        assert len(rule_set.table.virtual_hosts) == hosts
        errors = capsys.readouterr().err
        assert "error IST0106 spec.hosts[0]" in errors
        assert errors.count("left out (mirror_strict=false): VirtualService default/bad (") == left_out
