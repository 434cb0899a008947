"""`mirror_sandbox` with `mirror_twin`: two services that give their own ids, and call another one with them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from livetools.calling import serving
from livetools.ports import reserved_port
from livetools.proxy import ROOT
from livetools.proxy import Proxy
from livetools.recorder import PATIENCE

from mirror_addon.compare.record_schema import RECORD_SCHEMA

Made = tuple[str, str, Any, str]
"""Method, path, JSON and Authorization of a request that the payments got."""


class Payments:
    """The called service. It keeps what it really got."""

    def __init__(self) -> None:
        self.made: list[Made] = []

    def respond(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, Any]:
        document = json.loads(body) if body else None
        self.made.append((request.command, request.path, document, request.headers.get("authorization", "")))
        return 200, {"number": len(self.made)}


class Orders:
    """One version of the service. Its orders and tokens have names of its own, and it forwards x-request-id."""

    def __init__(self, version: str, proxy: int, payments: str, name: Callable[[int], Any]) -> None:
        self.version = version
        self.proxy = proxy
        self.payments = payments
        self.name = name
        self.count = 0
        self.before: Callable[[], None] = lambda: None
        """Called before an order is looked up."""

    def respond(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, Any]:
        fields = {"x-request-id": request.headers["x-request-id"]}
        document = json.loads(body) if body else {}
        if request.path == "/login":
            return 200, {"access_token": f"{self.version}-0b5f0a527c7c4c5e9f0a"}
        if request.path == "/orders":
            self.count += 1
            id = self.name(self.count)
            charge = {"order_id": id, "amount": document["quantity"]}
            self.call(fields, "PUT", f"/ledger/{id}", charge)
            return 201, {"id": id, "quantity": document["quantity"]}
        id = re.fullmatch(r"/orders/([^/]+)(?:/.*)?", request.path)[1]  # type: ignore[index]
        if request.path.endswith("/extra"):
            if self.version == "v2":
                token = {"Authorization": request.headers["authorization"]}
                self.call(fields | token, "GET", f"/orders/{id}/only?order_id={id}")
            return 200, {"extra": True}
        if request.path.endswith("/wrong"):
            other = id if self.version == "v1" else str(int(id) + 1)
            self.call(fields, "POST", f"/orders/{other}/refunds", {"order_id": other, "why": "wrong"})
            return 200, {"refunded": True}
        self.before()
        self.call(fields, "GET", f"/payments/{id}")
        self.call(fields, "GET", f"/orders/{id}/items/{id}?order_id={id}")
        self.call(fields, "POST", "/audit", {"order_id": id, "amount": 1})
        return 200, {"id": id, "paid": True}

    def call(self, fields: dict[str, str], method: str, path: str, document: Any = None) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy, timeout=PATIENCE)
        with contextlib.closing(connection):
            body = None if document is None else json.dumps(document)
            kind = {"Content-Type": "application/json"} if body else {}
            connection.request(method, f"http://{self.payments}{path}", body, fields | kind)
            connection.getresponse().read()


class World:
    """A proxy, both versions of a service, and what they call."""

    def __init__(self, port: int, record: Path, payments: Payments) -> None:
        self.port = port
        self.record = record
        self.payments = payments
        self.proxy: Proxy
        self.v2: Orders

    def ask(self, method: str, path: str, document: Any = None, **fields: str) -> tuple[Any, dict[str, Any]]:
        """v1's response to one request, and the line of its pair in the record."""
        before = len(self.lines())
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            body = None if document is None else json.dumps(document)
            connection.request(method, path, body, fields | ({"Content-Type": "application/json"} if body else {}))
            answer = json.loads(connection.getresponse().read())
        deadline = time.monotonic() + PATIENCE
        while len(lines := self.lines()) <= before:
            assert time.monotonic() < deadline, self.proxy.output
            time.sleep(0.02)
        return answer, lines[before]

    def order(self, quantity: int = 3) -> tuple[Any, dict[str, Any]]:
        answer, line = self.ask("POST", "/orders", {"quantity": quantity})
        return answer["id"], line

    def lines(self) -> list[dict[str, Any]]:
        text = self.record.read_text() if self.record.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def really(self, before: int) -> list[str]:
        """The paths that the payments have got since they had so many requests."""
        return [f"{each[0]} {each[1]}" for each in self.payments.made[before:]]


@contextlib.contextmanager
def world(confdir: Path, folder: Path, *options: str, name: Callable[[int], Any]) -> Iterator[World]:
    payments = Payments()
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        front, calls, sandbox = (enter(reserved_port()) for _ in range(3))
        address = f"127.0.0.1:{enter(serving(payments.respond))}"
        v1 = enter(serving(Orders("v1", calls, address, lambda number: 1000 + number).respond))
        made = World(front, folder / "record.jsonl", payments)
        made.v2 = Orders("v2", sandbox, address, name)
        v2 = enter(serving(made.v2.respond))
        modes = (
            f"reverse:http://127.0.0.1:{v1}@127.0.0.1:{front}",
            *(f"regular@127.0.0.1:{port}" for port in (calls, sandbox)),
        )
        arguments = [argument for mode in modes for argument in ("--mode", mode)]
        settings = (
            f"mirror_sandbox={sandbox}",
            f"mirror_to=http://127.0.0.1:{v2}",
            f"mirror_record={made.record}",
            "mirror_twin=true",
            "mirror_request_id=true",
            *options,
        )
        arguments += [argument for setting in settings for argument in ("--set", setting)]
        with Proxy(confdir, *arguments, script=str(ROOT / "mirror_addon"), cwd=folder) as made.proxy:
            for port in (front, calls, sandbox):
                made.proxy.wait_for(rf"listening at 127\.0\.0\.1:{port}")
            yield made


@pytest.fixture(scope="module")
def shop(confdir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """v2's numbers are those of v1's other orders."""
    with world(confdir, tmp_path_factory.mktemp("twin"), name=lambda number: 1001 + number) as made:
        yield made


def shown(line: dict[str, Any]) -> list[tuple[str, str, str, set[tuple[str, str, str]]]]:
    """State, both paths and translations of each call."""
    return [
        (
            each["state"],
            *(re.sub(r"http://[^/]*", "", each.get(name, "")) for name in ("url", "primary_url")),
            {(made["where"], made["primary"], made["shadow"]) for made in each.get("twin", ())},
        )
        for each in line["calls"]
    ]


def check_calls(made: World, id: Any, own: Any) -> None:
    """An order is looked up, with calls that have its id in their paths and bodies."""
    before = len(made.payments.made)
    answer, line = made.ask("GET", f"/orders/{id}")
    assert answer == {"id": str(id), "paid": True}
    one, other = str(id), str(own)
    nested = "/orders/{0}/items/{0}?order_id={0}".format
    assert shown(line) == [
        ("answered", f"/payments/{other}", f"/payments/{one}", {("path[1]", one, other)}),
        ("answered", nested(other), nested(one), {(at, one, other) for at in ("path[1]", "path[3]", "query:order_id")}),
        ("answered", "/audit", "", {("$.order_id", one, other)}),
    ]
    assert line["verdict"] in ("same", "noise"), line
    assert len(made.payments.made) == before + 3, "v1's calls, and no other"


def test_ids_in_paths_nested_ones_and_in_bodies(shop: World) -> None:
    first, line = shop.order()
    second, _ = shop.order()
    assert (first, second) == (1001, 1002)
    (call,) = line["calls"]
    assert [(each["path"], each["primary"], each["shadow"], each["noise"]) for each in call["differences"]] == [
        ("path[1]", "1001", "1002", "twin"), ("$.order_id", 1001, 1002, "twin"),
    ], "ids of this very request are not known when the call is made, and are when the pair ends"  # fmt: skip
    assert line["verdict"] == "noise", line
    check_calls(shop, first, 1002)
    for each in shop.lines():
        jsonschema.validate(each, RECORD_SCHEMA)


def test_another_thing_is_found_with_what_the_mirror_sent(shop: World) -> None:
    id, _ = shop.order()
    shop.order()
    _, line = shop.ask("GET", f"/orders/{id}/wrong")
    (call,) = line["calls"]
    assert call["state"] == "different"
    assert [(each["path"], each["primary"], each["shadow"]) for each in call["differences"] if not each["noise"]] == [
        ("path[1]", str(id), str(id + 2)), ("$.order_id", str(id), str(id + 2)),
    ]  # fmt: skip
    assert line["verdict"] == "different"


def test_a_call_that_passes_has_the_primary_s_ids_and_token(shop: World) -> None:
    login, _ = shop.ask("POST", "/login", {})
    id, _ = shop.order()
    before = len(shop.payments.made)
    _, line = shop.ask("GET", f"/orders/{id}/extra", Authorization=f"Bearer {login['access_token']}")
    assert shop.payments.made[before:] == [
        ("GET", f"/orders/{id}/only?order_id={id}", None, f"Bearer {login['access_token']}")
    ]
    (call,) = line["calls"]
    assert call["state"] == "passed" and call["url"].endswith(f"/orders/{id + 1}/only?order_id={id + 1}")
    where = {each["where"]: each["shadow"] for each in call["twin"]}
    assert where["path[1]"] == where["query:order_id"] == str(id + 1)
    assert "v2-" not in json.dumps(line), "a token is redacted here too"


def test_uuids(confdir: Path, tmp_path: Path) -> None:
    def name(number: int) -> str:
        return str(uuid.UUID(int=2**127 + number * 7**30))

    with world(confdir, tmp_path, name=name) as made:
        id, line = made.order()
        assert line["verdict"] == "noise", line
        check_calls(made, id, name(1))


def test_a_worker_that_hangs_or_is_killed_in_between(confdir: Path, tmp_path: Path) -> None:
    """Calls are as without a twin then: nothing waits for long, and each is counted."""
    with world(confdir, tmp_path, "mirror_drain=1s", name=lambda number: 2000 + number) as made:
        id, _ = made.order()
        check_calls(made, id, 2001)

        def once(what: signal.Signals) -> None:
            made.v2.before = lambda: None
            os.kill(made.proxy.workers.pop(), what)

        for number, what in enumerate((signal.SIGSTOP, signal.SIGKILL), 1):
            made.v2.before = lambda what=what: once(what)  # type: ignore[misc]
            workers = made.proxy.workers
            before = len(made.payments.made)
            connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=PATIENCE)
            with contextlib.closing(connection):
                connection.request("GET", f"/orders/{id}")
                assert json.loads(connection.getresponse().read()) == {"id": str(id), "paid": True}
            made.proxy.wait_for(r"POST \S+/audit", after=made.proxy.output.rindex("GET http"))
            if what is signal.SIGSTOP:
                os.kill(workers.pop(), signal.SIGCONT)
            wait_for(lambda number=number: len(made.lines()) == 2 + number)  # type: ignore[misc]
            for each in made.lines()[-1].get("calls", ()):  # a lost worker's pair is recorded without them
                assert (each["state"], "twin" in each) == ("different", False), "found by its endpoint"
            assert len(made.payments.made) == before + 3, "v1's calls, and no other"
        made.proxy.wait_for("mirror's ids are lost")
        other, _ = made.order()
        check_calls(made, other, 2002)
        made.proxy.interrupt()
        assert "sandbox.untranslated.timeout 3" in made.proxy.output
        assert "sandbox.untranslated.worker_lost 3" in made.proxy.output


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
