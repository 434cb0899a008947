from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from capturetools import dump
from capturetools import exchange
from capturetools import har
from capturetools import line
from click.testing import CliRunner
from click.testing import Result
from messagetools import descriptors
from messagetools import grpc
from messagetools import order

from mirror_addon.cli.main import main


@pytest.fixture(autouse=True)
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.mitm").write_bytes(dump(exchange(at=1.0), exchange(path=b"/x", at=2.0), exchange(b"PUT", at=3.0)))
    Path("b.har").write_bytes(har(exchange(at=1.0), exchange(path=b"/x", answer=b'{"a": 2}', at=2.0)))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["diff", *arguments])


def test_the_terminal() -> None:
    result = run("a.mitm", "b.har")
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "b.har responds differently to 50.0 % of 2 requests.\n\n1 finding in 1 differing pair.\n"
    )
    assert "$.a" in result.stdout
    assert result.stderr.splitlines() == [
        "2 pairs compared",
        "1 request of a.mitm without a counterpart in b.har: PUT http://shop.example/orders/17?x=1",
    ]


def test_all_outputs_at_once() -> None:
    result = run("a.mitm", "b.har", "--json", "-o", "page.html", "--junit", "report.xml", "--record", "pairs.jsonl")
    found = json.loads(result.stdout)
    assert found["targets"][0]["differing"] == 1 and found["left_out"] == {}
    assert found["diff"]["pairs"] == 2
    assert found["diff"]["captures"][0] == {
        "file": "a.mitm", "exchanges": 3, "alone": 1, "examples": ["PUT http://shop.example/orders/17?x=1"],
    }  # fmt: skip
    assert "<html" in Path("page.html").read_text() and Path("report.xml").exists()
    again = CliRunner().invoke(main, ["report", "pairs.jsonl", "--json"])
    assert json.loads(again.stdout)["targets"] == found["targets"], "the record is read by report"
    tests = CliRunner().invoke(main, ["tests", "pairs.jsonl", "-o", "suite"])
    assert tests.exit_code == 0, tests.output
    assert list(Path("suite").glob("**/*.py")), "and by tests"


def test_exit_codes() -> None:
    assert run("a.mitm", "b.har", "--fail-on", "differing > 60%").exit_code == 0
    result = run("a.mitm", "b.har", "--fail-on", "differing > 0")
    assert result.exit_code == 1 and "failed: " in result.stderr
    Path("rules.yaml").write_text("rules: [{path: $.a, ignore: true}]")
    assert run("a.mitm", "b.har", "--fail-on", "differing > 0", "--compare", "rules.yaml").exit_code == 0


def test_nothing_to_compare() -> None:
    Path("c.mitm").write_bytes(dump(exchange(path=b"/other")))
    result = run("a.mitm", "c.mitm", "--json", "--fail-on", "differing > 0")
    assert result.exit_code == 1 and json.loads(result.stdout)["diff"]["pairs"] == 0
    assert "no request of a.mitm has a counterpart in c.mitm; --any-origin pairs them by path" in result.stderr
    assert "none matches the filter" in run("a.mitm", "b.har", "--filter", "~u nothing").stderr
    Path("empty.har").write_text('{"log": {"entries": []}}')
    assert "there is no request in empty.har" in run("a.mitm", "empty.har").stderr


def test_other_hosts_and_a_filter() -> None:
    flow = exchange(path=b"/x")
    flow.request.headers["host"] = "localhost:9002"
    Path("c.mitm").write_bytes(gzip.compress(dump(flow)))
    result = run("a.mitm", "c.mitm", "--any-origin", "--filter", "~u /x")
    assert result.exit_code == 0 and result.stderr == "1 pair compared\n"


def test_secrets() -> None:
    for name, secret in (("s.mitm", b"s3cret1"), ("t.mitm", b"s3cret2")):
        Path(name).write_bytes(dump(exchange(answer_fields=[(b"X-Mine", secret), (b"Set-Cookie", b"s=" + secret)])))
    assert "s3cret" in run("s.mitm", "t.mitm", "--json").stdout
    assert "s3cret" not in run("s.mitm", "t.mitm", "--json", "--redact", "X-Mine,Set-Cookie").stdout


def test_a_capture_that_breaks_off_is_reported_as_far_as_it_goes() -> None:
    whole = dump(exchange(at=1.0))
    Path("torn.mitm").write_bytes(whole + b"5:xxxxx," + whole)
    result = run("a.mitm", "torn.mitm")
    assert result.exit_code == 2
    assert "a.mitm → torn.mitm" in result.stdout and "the requests before it were compared" in result.stderr


def test_left_out() -> None:
    flow = exchange()
    flow.marked = ":ghost:"
    Path("c.mitm").write_bytes(dump(exchange(), flow))
    assert "left out of the captures: a shadow itself 1" in run("a.mitm", "c.mitm").stderr


def test_records_without_bodies_have_nothing_to_compare() -> None:
    Path("r.jsonl").write_bytes(line(request=None))
    result = run("r.jsonl", "r.jsonl", "--json")
    assert json.loads(result.stdout)["targets"][0]["uncompared"] == 1
    assert result.stderr == (
        "0 pairs compared\n1 pair not compared: a capture has no header fields and bodies of them "
        "(a record needs mirror_record_bodies=true)\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gone", "b.har"), "gone"),
        (("a.mitm",), "Missing argument 'B'"),
        (("a.mitm", "b.har", "-o", "a.mitm"), "is one of the captures"),
        (("a.mitm", "b.har", "--record", "b.har"), "is one of the captures"),
        (("a.mitm", "b.har", "--record", "no/such"), "does not exist"),
        (("a.mitm", "b.har", "--fail-on", "luck"), "is not a condition"),
        (("a.mitm", "b.har", "--filter", "~q ("), "is not a mitmproxy filter"),
        (("a.mitm", "b.har", "--compare", "gone.yaml"), "gone.yaml"),
        (("a.mitm", "b.har", "--redact", "a b"), "is not the name of a header field"),
        (("a.mitm", __file__), "neither a mitmproxy dump"),
    ],
)  # fmt: skip
def test_wrong_usage(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr.replace("\n", " ")


def test_grpc_by_field() -> None:
    Path("types.desc").write_bytes(descriptors())
    for name, price in (("g.mitm", 1.0), ("h.mitm", 2.0)):
        answer = grpc(order(items=[{"price": price}]))
        Path(name).write_bytes(
            dump(exchange(b"POST", b"/shop.Shop/Get", answer=answer.body or b"", answer_fields=answer.headers))
        )
    for options, path in ((("--protos", "types.desc"), "$.items[*].price"), ((), "$.2.2")):
        found = json.loads(run("g.mitm", "h.mitm", "--json", *options).stdout)["targets"][0]["endpoints"][0]
        assert (found["endpoint"], found["fields"][0]["path"]) == ("/shop.Shop/Get", path)
    assert "mirror_protos=gone: no such file" in run("a.mitm", "b.har", "--protos", "gone").stderr
