"""The sandbox in real mitmdump: two versions of a service that call another one through it."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from livetools.calling import Ledger
from livetools.calling import Planned
from livetools.calling import serving
from livetools.ports import reserved_port
from livetools.proxy import ROOT
from livetools.proxy import Proxy
from livetools.proxy import Tool
from livetools.proxy import tool
from livetools.recorder import PATIENCE
from livetools.shop import Shop

from mirror_addon.compare.record_schema import RECORD_SCHEMA


class World:
    """A proxy with three listeners, both versions of a service, and what they call."""

    def __init__(self, port: int, record: Path, ledger: Ledger, address: str) -> None:
        self.port = port
        self.record = record
        self.ledger = ledger
        self.address = address
        self.proxy: Proxy
        self.tls = ""
        self.grpc: Shop

    def ask(self, *both: list[Any], v1: list[Any] | None = None, v2: list[Any] | None = None, **more: Any) -> Any:
        """Send one request with these plans. Return v1's response and the pair's line in the record."""
        headers = more.pop("headers", {})
        plan = {"v1": list(both) if v1 is None else v1, "v2": list(both) if v2 is None else v2} | more
        before = len(self.lines())
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("POST", "/do", json.dumps(plan), {"Content-Type": "application/json"} | headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        deadline = time.monotonic() + PATIENCE
        while len(lines := self.lines()) <= before:
            assert time.monotonic() < deadline, self.proxy.output
            time.sleep(0.02)
        return answer, lines[before]

    def lines(self) -> list[dict[str, Any]]:
        text = self.record.read_text() if self.record.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def url(self, path: str) -> str:
        return f"http://{self.address}{path}"


@contextlib.contextmanager
def world(
    confdir: Path, folder: Path, *arguments: str, forwards: str = "x-request-id", certificate: Any = None
) -> Iterator[World]:
    ledger, events = Ledger(), dict[str, threading.Event]()
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        front, calls, sandbox = (enter(reserved_port()) for _ in range(3))
        v1 = enter(serving(Planned("v1", calls, events, forwards).respond))
        v2 = enter(serving(Planned("v2", sandbox, events, forwards).respond))
        made = World(front, folder / "record.jsonl", ledger, f"127.0.0.1:{enter(serving(ledger.respond))}")
        if certificate is not None:
            made.tls = f"https://localhost:{enter(serving(ledger.respond, certificate))}"
            made.grpc = enter(Shop(b"shop "))
        modes = (
            f"reverse:http://127.0.0.1:{v1}@127.0.0.1:{front}",
            *(f"regular@127.0.0.1:{p}" for p in (calls, sandbox)),
        )
        options = [argument for mode in modes for argument in ("--mode", mode)]
        for option in (f"mirror_sandbox={sandbox}", f"mirror_to=http://127.0.0.1:{v2}", f"mirror_record={made.record}"):
            options += ["--set", option]
        options += ["--set", "ssl_insecure=true", *arguments]
        with Proxy(confdir, *options, script=str(ROOT / "mirror_addon"), cwd=folder) as made.proxy:
            for port in (front, calls, sandbox):
                made.proxy.wait_for(rf"listening at 127\.0\.0\.1:{port}")
            yield made


@pytest.fixture(scope="module")
def shop(confdir: Path, tmp_path_factory: pytest.TempPathFactory, authority: Any) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("sandbox")
    with world(
        confdir, folder, "--set", "mirror_request_id=true", certificate=authority.issue("localhost", "127.0.0.1")
    ) as made:
        yield made


def states(line: dict[str, Any]) -> list[str]:
    return [call["state"] for call in line["calls"]]


def test_n_orders_make_n_charges_and_the_seeded_ones_are_found(shop: World) -> None:
    before = len(shop.ledger.made)
    wrong = {3, 8, 11, 17}
    found = set()
    for number in range(20):
        charge = ["POST", shop.url("/charges"), {"amount": number, "by": "card"}]
        other = ["POST", shop.url("/charges"), {"amount": number + (number in wrong), "by": "card"}]
        answer, line = shop.ask(v1=[charge], v2=[other])
        assert answer == [[200, {"number": before + number + 1}]]
        if line["verdict"] == "different":
            found.add(number)
            (call,) = line["calls"]
            assert call["state"] == "different"
            (difference,) = call["differences"]
            assert (difference["path"], difference["primary"], difference["shadow"]) == ("$.amount", number, number + 1)
            (of_pair,) = line["differences"]
            assert (of_pair["kind"], of_pair["path"]) == ("call", f"call:POST {shop.address}/charges $.amount")
            assert (of_pair["primary"], of_pair["shadow"]) == (number, number + 1)
        else:
            assert line["verdict"] == "same", line
            assert states(line) == ["answered"]
    assert found == wrong
    assert len(shop.ledger.made) == before + 20, "the mirror charged something"


def test_calls_of_one_side_only(shop: World) -> None:
    both, mine, its = (["POST", shop.url(path), {"a": 1}] for path in ("/both", "/mine", "/its"))
    read = ["GET", shop.url("/read?x=1"), None]
    before = len(shop.ledger.made)
    _, line = shop.ask(v1=[both, mine], v2=[its, both, read])
    assert states(line) == ["blocked", "answered", "passed", "missing"]
    assert [each[1] for each in shop.ledger.made[before:]] == ["/both", "/mine", "/read?x=1"]
    assert line["verdict"] == "different"
    calls = {each["path"]: (each["primary"], each["shadow"]) for each in line["differences"] if each["kind"] == "call"}
    assert calls == {
        f"call:POST {shop.address}/its": (None, f"POST {shop.url('/its')}"),
        f"call:GET {shop.address}/read": (None, f"GET {shop.url('/read?x=1')}"),
        f"call:POST {shop.address}/mine": (f"POST {shop.url('/mine')}", None),
    }


def test_the_nth_of_a_kind_and_the_structure_of_bodies(shop: World) -> None:
    items = [["POST", shop.url("/items"), body] for body in ({"n": 1}, {"n": 2}, {"name": "x"})]
    answer, line = shop.ask(v1=items, v2=[items[2], items[1], items[0]])
    assert states(line) == ["answered"] * 3 and line["verdict"] == "different"  # its responses are in another order
    assert not any(each["kind"] == "call" for each in line["differences"])
    again = ["GET", shop.url("/same"), None]
    answer, line = shop.ask(again, again)
    assert line["verdict"] == "same" and states(line) == ["answered", "answered"]
    assert answer[0] != answer[1]


def test_a_call_that_comes_first_waits(shop: World) -> None:
    call = ["POST", shop.url("/late"), {"a": 1}]
    early = [["set", "asked"], call]
    answer, line = shop.ask(v1=[["wait", "asked"], call], v2=early)
    assert states(line) == ["answered"] and not any(each["kind"] == "call" for each in line["differences"])
    assert answer[1][0] == 200


def test_https_and_grpc(shop: World) -> None:
    before = len(shop.ledger.made)
    secure = ["POST", f"{shop.tls}/secure", {"a": 1}]
    message = ["grpc", f"127.0.0.1:{shop.grpc.port}", "hello"]
    answer, line = shop.ask(secure, message)
    assert answer == [[200, {"number": before + 1}], "shop hello"]
    assert (line["verdict"], states(line)) == ("same", ["answered", "answered"])
    assert len(shop.grpc.calls) == 1 and len(shop.ledger.made) == before + 1
    _, line = shop.ask(v1=[message], v2=[[*message[:2], "other"], message])
    assert states(line) == ["different", "blocked"]
    assert len(shop.grpc.calls) == 2


def test_failures_of_the_called_service_are_shared(shop: World) -> None:
    with reserved_port() as nothing:
        answer, line = shop.ask(["POST", f"http://127.0.0.1:{nothing}/x", {"a": 1}])
    assert answer[0][0] == 502
    assert states(line) == ["answered"]
    assert [each["path"] for each in line["differences"] if not each["noise"]] == ["$[*][*]"]  # the page of the 502


def test_what_is_said_and_counted(shop: World) -> None:
    call = ["POST", shop.url("/anonymous"), {"a": 1}]
    _, line = shop.ask(call, anonymous=True)
    assert line["calls"] == []
    shop.proxy.wait_for(r"the mirror's call POST \S+/anonymous has neither x-request-id nor traceparent: let the serv")
    jsonschema = pytest.importorskip("jsonschema")
    for each in shop.lines():
        jsonschema.validate(each, RECORD_SCHEMA)
    report = Tool([tool("python"), "-m", "mirror_addon", "report", "--json", str(shop.record)])
    assert report.finish() == 0
    document = json.loads(report.output)
    made = [state for each in shop.lines() for state in states(each)]
    assert document["calls"] == {state: made.count(state) for state in set(made)}
    findings = {each["path"]: each for each in document["findings"] if each["kind"] == "call"}
    charges = findings[f"call:POST {shop.address}/charges $.amount"]
    assert (charges["pairs"], charges["endpoints"]) == (4, ["POST /do"])
    assert (charges["example"]["primary"], charges["example"]["shadow"]) == (3, 4)


def test_by_trace_only_and_what_is_not_kept(confdir: Path, tmp_path: Path) -> None:
    """Ids of W3C Trace Context; the streamed response of a call is not kept, and all unknown calls pass."""
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    arguments = ("--set", "mirror_sandbox_unknown=pass", "--set", "stream_large_bodies=1")
    with world(
        confdir, tmp_path, *arguments[:2], "--set", "mirror_sandbox_timing=true", forwards="traceparent"
    ) as made:
        _, line = made.ask(["DELETE", made.url("/x"), None], headers=trace)
        assert states(line) == ["answered"] and len(made.ledger.made) == 1
        _, line = made.ask(
            v1=[],
            v2=[["DELETE", made.url("/y"), None]],
            headers={"traceparent": trace["traceparent"].replace("0af7", "0af8")},
        )
        assert states(line) == ["passed"] and len(made.ledger.made) == 2
        made.ask(["GET", made.url("/z"), None])
        made.proxy.wait_for("a mirrored request has neither x-request-id nor traceparent")
        assert made.proxy.interrupt() == 0
    counters = dict(line.rsplit(" ", 1) for line in made.proxy.output.splitlines() if line.startswith("sandbox."))
    assert counters == {
        "sandbox.answered": "1", "sandbox.different": "0", "sandbox.blocked": "0", "sandbox.passed": "2",
        "sandbox.missing": "0",
    }  # fmt: skip


def test_a_port_that_is_no_listener_is_said_at_the_start(confdir: Path, tmp_path: Path) -> None:
    with reserved_port() as port:
        command = [tool("mitmdump"), "--listen-host", "127.0.0.1", "--listen-port", "0", "--set", f"confdir={confdir}"]
        command += ["-s", str(ROOT / "mirror_addon"), "--set", f"mirror_sandbox={port}"]
        command += ["--set", "mirror_to=http://127.0.0.1:9"]
        started = Tool(command, tmp_path)
        started.wait_for(
            rf"mirror_sandbox={port}: the proxy does not listen there; start it with --mode regular@{port}"
        )
        assert started.finish() == 1
