from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from click.testing import Result
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow

from mirror_addon.cli.explain import explain
from mirror_addon.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
RULES = str(ROOT / "rules")
HOST = "http://istio.gateway.xxxx.tech"


def run(*arguments: str, input: str | None = None) -> Result:
    return CliRunner().invoke(explain, ["--rules", RULES, *arguments], input=input)


DECLINED = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: declined}
spec: {hosts: 7, http: [{directResponse: {status: 200}}]}
"""
"""An API server would not store it, because of a field's type. It is YAML."""


def answers(*documents: dict[str, Any], options: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    result = run("--json", "--requests", "-", *options, input="".join(json.dumps(each) + "\n" for each in documents))
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_the_worked_example() -> None:
    (answer,) = answers(
        {"method": "GET", "url": f"{HOST}/serviceB/request/info", "headers": [["X-A", "1"]], "client": "10.10.2.151"}
    )
    own = answer["mirrors"][0]["headers"][-1][1].rpartition(",")[2]
    assert answer.pop("trace")
    assert answer == {
        "action": "route",
        "virtual_service": "default/serviceB",
        "route": None,
        "rule": "http[0]",
        "match": 0,
        "destination": {
            "host": "serviceB.default.svc.cluster.local",
            "subset": "v1",
            "port": 80,
            "endpoint": "127.0.0.1:9001",
        },
        "request": {
            "method": "GET",
            "scheme": "http",
            "authority": "istio.gateway.xxxx.tech",
            "path": "//request/info",
            "headers": [["X-A", "1"], ["x-forwarded-for", "10.10.2.151"]],
        },
        "response": None,
        "mirrors": [
            {
                "host": "serviceB.default.svc.cluster.local",
                "subset": "v2",
                "port": 80,
                "endpoint": "127.0.0.1:9002",
                "percent": 100,
                "sampled": True,
                "authority": "istio.gateway.xxxx.tech-shadow",
                "headers": [["X-A", "1"], ["x-forwarded-for", f"10.10.2.151,{own}"]],
                "skipped": None,
            }
        ],
    }


def test_in_order_and_each_on_a_line() -> None:
    found = answers({"url": f"{HOST}/serviceB"}, {"url": f"{HOST}/none"}, {"url": "http://other.test/x?y"})
    assert [each["action"] for each in found] == ["route", "not_found", "passthrough"]
    assert found[1]["response"]["status"] == 404 and found[1]["request"] is None
    assert found[2]["request"]["path"] == "/x?y" and found[2]["virtual_service"] is None
    assert found[2]["mirrors"] == []


def test_raw_bytes_are_lone_surrogates() -> None:
    (answer,) = answers({"url": f"{HOST}/serviceB/\udcff\u00e9", "headers": [["X-B", "\udc80"]]})
    assert answer["request"]["path"] == "//\udcff\u00e9"
    assert answer["request"]["headers"] == [["X-B", "\udc80"]]


def test_options_are_the_proxys() -> None:
    (answer,) = answers(
        {"url": f"{HOST}/serviceB", "client": "10.0.0.9"},
        options=(
            "--set",
            "mirror_host_suffix=",
            "--set",
            "mirror_use_remote_address=false",
            "--set",
            "mirror_endpoints=serviceB/v2=127.0.0.1:9012",
        ),
    )
    assert answer["request"]["headers"] == []
    assert answer["mirrors"][0]["authority"] == "istio.gateway.xxxx.tech"
    assert answer["mirrors"][0]["endpoint"] == "127.0.0.1:9012"


def test_host_header_wins_over_the_url() -> None:
    (answer,) = answers({"url": "http://127.0.0.1:8080/serviceB", "headers": [["Host", "istio.gateway.xxxx.tech"]]})
    assert answer["action"] == "route"
    assert answer["request"]["authority"] == "istio.gateway.xxxx.tech"


def test_bytes_that_are_utf8_are_shown_as_text() -> None:
    assert run("GET", f"{HOST}/ä").stdout.startswith("GET istio.gateway.xxxx.tech/ä  ->  ")


def test_for_people() -> None:
    result = run("GET", f"{HOST}/serviceB/x", "-H", "X-A: 1", "POST", f"{HOST}/none")
    assert result.exit_code == 0
    assert "serviceB.default.svc.cluster.local:80/v1 at 127.0.0.1:9001" in result.stdout
    assert "Host: istio.gateway.xxxx.tech-shadow" in result.stdout
    assert "not_found" in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", ":1: not JSON"),
        ("[]", ":1: must be an object"),
        ('{"url": 1}', "url: must be text"),
        ('{"url": "/path"}', "url: must be absolute"),
        ('{"url": "ftp://x/"}', "url: must be absolute"),
        ('{"url": "http:///x"}', "url: has no host"),
        ('{"url": "http://a:99999/x"}', "url: 99999 is not a port"),
        ('{"url": "http://a/", "method": ""}', "method: must be text"),
        ('{"url": "http://a/", "headers": {"a": "b"}}', "headers: must be a list"),
        ('{"url": "http://a/", "headers": [["a"]]}', "headers: must be a list"),
        ('{"url": "http://a/", "port": 0}', "port: must be a whole number"),
        ('{"url": "http://a/", "draw": -1}', "draw: must be a whole number"),
        ('{"url": "http://a/", "draw": true}', "draw: must be a whole number"),
        ('{"url": "http://a/", "header": []}', "unknown key 'header'"),
        ("[" * 100_000, ":1: not JSON"),
    ],
)
def test_bad_requests_name_line_and_cure(line: str, said: str) -> None:
    result = run("--requests", "-", input=line + "\n")
    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "arguments",
    [(), ("GET",), ("GET", "nourl"), ("GET", f"{HOST}/", "-H", "nocolon"), ("--set", "mirror_timeout=x", "GET", HOST)],
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_missing_path_is_wrong_usage() -> None:
    result = CliRunner().invoke(explain, ["--rules", "no-such-folder", "GET", HOST])
    assert result.exit_code == 2
    assert "no-such-folder" in result.output


def test_findings_do_not_stop_it(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(Path(RULES, "virtual-service.yaml").read_text())
    (tmp_path / "b.yaml").write_text(DECLINED)
    result = CliRunner().invoke(explain, ["--json", "--rules", str(tmp_path), "GET", f"{HOST}/serviceB"])
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer["action"] == "unavailable"
    assert answer["mirrors"][0]["skipped"] == "local_reply"
    assert "b.yaml:5:" in result.stderr and "error IST0106" in result.stderr


BROKEN = {
    "syntax": "kind: [",
    "bytes": "\x00\x01",
    "template": "kind: {{ .Values.kind }}\n",
    "everything_declined": DECLINED,
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("command", ["explain", "test", "export", "replay"])
def test_without_the_rules_there_is_no_answer(command: str, text: str, tmp_path: Path) -> None:
    """What is left of a broken folder would decide otherwise, and nobody could tell."""
    if text is not DECLINED:
        (tmp_path / "a.yaml").write_text(Path(RULES, "virtual-service.yaml").read_text())
    (tmp_path / "b.yaml").write_text(text)
    cases = tmp_path / "cases.jsonl"
    cases.write_text(json.dumps({"request": {"url": f"{HOST}/serviceB"}, "expect": {"action": "passthrough"}}) + "\n")
    with (tmp_path / "a.mitm").open("wb") as file:
        FlowWriter(file).add(tflow.tflow(resp=True))
    arguments = {
        "explain": ["explain", "GET", f"{HOST}/serviceB"],
        "test": ["test", str(cases)],
        "export": ["export", "envoy"],
        "replay": ["replay", str(tmp_path / "a.mitm")],
    }[command]
    result = CliRunner().invoke(main, [*arguments, "--rules", str(tmp_path)])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "b.yaml:" in result.stderr and "The rules cannot be read" in result.stderr


@pytest.mark.parametrize("path", ["gone", "x" * 300, "a\0b"])
def test_rules_that_are_not_there(path: str) -> None:
    result = CliRunner().invoke(explain, ["--rules", path, "GET", HOST])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "There is no file or folder" in result.stderr


def test_a_folder_without_rules_is_an_empty_table_and_says_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(explain, ["--json", "--rules", str(tmp_path), "GET", HOST])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["action"] == "passthrough"
    assert f"there are no rules in {tmp_path}" in result.stderr


def annotated(tmp_path: Path, annotations: str) -> dict[str, Any]:
    text = (ROOT / "rules" / "virtual-service.yaml").read_text()
    text = text.replace("name: serviceB\n", f"name: serviceB\n  annotations: {{{annotations}}}\n", 1)
    (tmp_path / "rules.yaml").write_text(text)
    for name in ("destination-rule.yaml", "service-entry.yaml"):
        (tmp_path / name).write_text((ROOT / "rules" / name).read_text())
    arguments = ["--rules", str(tmp_path), "--json", "-H", "Cookie: a=b", "POST", f"{HOST}/serviceB"]
    result = CliRunner().invoke(explain, arguments)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize(
    ("annotations", "skipped"),
    [
        ("mirror-addon/expires: '2020-01-01T00:00:00Z'", "expired"),
        ("mirror-addon/expires: 2h", None),
        ("mirror-addon/active: '2020-01-01T00:00Z/PT30M'", "inactive"),
        ("mirror-addon/methods: safe", "method"),
        ("mirror-addon/when: ~c 500", None),
    ],
)
def test_annotations(annotations: str, skipped: str | None, tmp_path: Path) -> None:
    found = annotated(tmp_path, annotations)
    assert found["mirrors"][0]["skipped"] == skipped
    assert set(found["mirrors"][0]) == set(answers({"url": f"{HOST}/serviceB"})[0]["mirrors"][0])
    name, _, value = annotations.partition(": ")
    assert any(line.startswith(f"{name}: {value.strip(chr(39))}") for line in found["trace"])


def test_annotations_of_the_shadows_header(tmp_path: Path) -> None:
    found = annotated(tmp_path, 'mirror-addon/remove-headers: Cookie, mirror-addon/set-headers: \'{"X-Mark": "1"}\'')
    names = [name for name, _ in found["mirrors"][0]["headers"]]
    assert "X-Mark" in names and "Cookie" not in names
    assert "Cookie" in [name for name, _ in found["request"]["headers"]]


def test_mirrors_without_a_shadow_for_people(tmp_path: Path) -> None:
    text = (ROOT / "rules" / "virtual-service.yaml").read_text()
    assert "mirror:" in text
    (tmp_path / "rules.yaml").write_text(text)
    endpoint = ["--set", "mirror_endpoints=serviceB/v1=127.0.0.1:1"]
    result = CliRunner().invoke(explain, ["--rules", str(tmp_path), *endpoint, "GET", f"{HOST}/serviceB"])
    assert "skipped: no_endpoint" in result.stdout
    (tmp_path / "rules.yaml").write_text(
        text.replace("    mirror:", "    mirrorPercentage: {value: 0}\n    mirror:", 1)
    )
    endpoint += ["--set", "mirror_endpoints=serviceB/v2=127.0.0.1:2"]
    result = CliRunner().invoke(explain, ["--rules", str(tmp_path), *endpoint, "GET", f"{HOST}/serviceB"])
    assert "not drawn" in result.stdout


def test_the_filter_of_mirror_to(tmp_path: Path) -> None:
    def explained(option: str, *arguments: str) -> Result:
        return CliRunner().invoke(explain, ["--rules", str(tmp_path), "--set", f"mirror_to={option}", *arguments])

    option = "|~d shop.test & ~u /v1|http://localhost:9002"
    result = explained(
        option, "--json", "GET", "http://shop.test/v1", "GET", "http://shop.test/v2", "GET", "http://b.test/v1"
    )
    assert result.exit_code == 0, result.output
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [len(each["mirrors"]) for each in found] == [1, 0, 0]
    assert [each["rule"] for each in found] == ["mirror_to", None, None]
    assert "the request does not match the filter ~d shop.test & ~u /v1" in " ".join(found[1]["trace"])
    for wrong in ("|~c 500|http://h", "|~d (|http://h", "|~d a", "||http://h", "|~d a|", "|~d a | ~d b|http://h"):
        result = explained(wrong, "GET", "http://shop.test/")
        assert (result.exit_code, result.stdout) == (2, ""), wrong
        assert "mirror_to=" in result.stderr
