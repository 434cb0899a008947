from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from click.testing import Result

from mirror_addon.cli.export import export
from mirror_addon.cli.processor_options import ProcessorOptions
from mirror_addon.cli.processor_options import client_key
from mirror_addon.cli.processor_options import processor_addresses
from mirror_addon.cli.processor_options import without_effect
from mirror_addon.envoy.processor import Processors
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import parse_settings
from mirror_addon.rules.rule_set import load_rule_set

RULES = Path(__file__).resolve().parents[2] / "rules"
TWO = "127.0.0.1:9090,127.0.0.1:9091"


def run(*arguments: str, rules: Path = RULES) -> Result:
    return CliRunner().invoke(export, ["envoy", "--rules", str(rules), *arguments])


def annotated(folder: Path, annotation: str) -> Path:
    text = (RULES / "virtual-service.yaml").read_text()
    (folder / "rules.yaml").write_text(
        text.replace("name: serviceB\n", f"name: serviceB\n  annotations: {{{annotation}}}\n", 1)
    )
    return folder


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("", ()),
        ("127.0.0.1:1", (("127.0.0.1", 1),)),
        ("processor.test:65535, [::1]:9090", (("processor.test", 65535), ("::1", 9090))),
    ],
)
def test_addresses(text: str, addresses: tuple[tuple[str, int], ...]) -> None:
    assert processor_addresses(text) == addresses


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("127.0.0.1", "HOST:PORT"),
        (":9090", "HOST:PORT"),
        ("127.0.0.1:9090,", "HOST:PORT"),
        ("http://127.0.0.1:9090", "HOST:PORT"),
        ("127.0.0.1:0", "1 to 65535"),
        ("127.0.0.1:65536", "1 to 65535"),
        ("127.0.0.1:x", "1 to 65535"),
        ("a:1,a:1", "twice"),
        (",".join(f"a:{port}" for port in range(1, 66)), "at most 64"),
    ],
)
def test_no_addresses(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        processor_addresses(text)


def test_clients() -> None:
    assert [client_key(text) for text in ("", "address", "X-User")] == ["", "address", "x-user"]
    with pytest.raises(ValueError, match="header field"):
        client_key("a b")


def test_what_is_made() -> None:
    assert ProcessorOptions().made() is None
    addresses = (("a", 1),)
    assert ProcessorOptions(addresses, 0.1, "x").made() == Processors(addresses, 10, "x")
    with pytest.raises(ValueError, match="--processor"):
        ProcessorOptions(share=0.5)


def test_the_export_for_a_processor() -> None:
    first, second = run("--processor", TWO, "--share", "10%"), run("--processor", TWO, "--share", "10%")
    assert first.exit_code == 0, first.output
    assert first.stdout == second.stdout
    assert "request_mirror_policies" not in first.stdout
    found = yaml.safe_load(first.stdout)
    names = [each["name"] for each in found["static_resources"]["clusters"]]
    assert "mirror_processor" in names
    assert not any("v2" in name for name in names)
    assert "layered_runtime" not in yaml.safe_load(run().stdout)


def test_what_the_processor_does_is_not_noted(tmp_path: Path) -> None:
    rules = annotated(tmp_path, "mirror-addon/max-rps: '5'")
    options = ("--set", "mirror_methods=safe", "--set", "mirror_host_suffix=-copy")
    result = run("--processor", "127.0.0.1:9090", *options, rules=rules)
    assert result.exit_code == 0, result.output
    for name in ("max-rps", "mirror_methods", "mirror_host_suffix"):
        assert name in run(*options, rules=rules).stderr
        assert name not in result.stderr


def test_what_counts_in_each_of_several_is_noted(tmp_path: Path) -> None:
    result = run("--processor", TWO, rules=annotated(tmp_path, "mirror-addon/max-rps: '5'"))
    assert (
        "note: VirtualService default/serviceB: annotation mirror-addon/max-rps holds for each of the 2"
        in result.stderr
    )


def test_a_twin_needs_its_clients_at_one_processor(tmp_path: Path) -> None:
    rules = annotated(tmp_path, "mirror-addon/twin: 'true'")
    refused = run("--processor", TWO, rules=rules)
    assert refused.exit_code == 2
    assert (
        "needs all exchanges of a client at one processor, and there are 2: add --by-client address" in refused.stderr
    )
    assert refused.stdout == ""
    assert run("--processor", "127.0.0.1:9090", rules=rules).exit_code == 0
    assert run("--processor", TWO, "--by-client", "address", rules=rules).exit_code == 0
    assert run("--processor", TWO, rules=annotated(tmp_path, "mirror-addon/twin: 'false'")).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--processor", "x"], "HOST:PORT"),
        (["--processor", "a:1", "--share", "10"], "percentage with its sign"),
        (["--share", "10%"], "--processor"),
        (["--by-client", "address"], "--processor"),
        (["--processor", "a:1", "--by-client", "a b"], "header field"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("options", "annotation", "said"),
    [
        ({}, "mirror-addon/methods: safe", []),
        ({}, "mirror-addon/twin: 'true'", ["mirror-addon/twin of default/"]),
        ({}, "mirror-addon/twin: 'false'", []),
        ({"mirror_twin": True}, "mirror-addon/methods: safe", ["mirror_twin has no effect in the processor"]),
        (
            {"mirror_sandbox": ["8089"], "mirror_rerun": True},
            "mirror-addon/methods: safe",
            ["mirror_sandbox has no effect", "mirror_rerun has no effect"],
        ),
    ],
)
def test_what_a_processor_does_not_do(
    tmp_path: Path, options: dict[str, object], annotation: str, said: list[str]
) -> None:
    values = {option.name: option.default for option in OPTIONS} | {
        "mirror_rules": [str(annotated(tmp_path, annotation))]
    }
    settings = parse_settings(values | options)
    found = list(without_effect(settings, load_rule_set(settings, b"192.0.2.1").table))
    assert len(found) == len(said)
    assert all(each in text for each, text in zip(said, found, strict=True))
