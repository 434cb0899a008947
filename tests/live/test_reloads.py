"""Rules reloaded again and again under load: nobody notices, and no request meets two sets of rules."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from livetools.client import Client
from livetools.proxy import ROOT
from livetools.recorder import Recorder
from livetools.web import Web
from livetools.wire import lines
from livetools.worked_example import endpoints

ROUTE = """  - match: [{{uri: {{prefix: /service{0}/}}}}]
    rewrite: {{uri: /}}
    headers: {{request: {{set: {{x-generation: "{1}"}}}}, response: {{set: {{x-generation: "{1}"}}}}}}
    route: [{{destination: {{host: serviceB, subset: v1}}}}]
    mirror: {{host: serviceB, subset: v2}}
"""
HEAD = """apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: many
  annotations:
    mirror-addon/set-headers: '{{"X-Shadow-Generation": "{0}"}}'
    mirror-addon/methods: GET
spec:
  hosts: [many.test]
  http:
"""
BROKEN = ("  - [", "  - {mirrorr: {host: serviceB}}\n", "  - {mirror_percent: lots}\n")


class Load:
    """Clients that ask one request after the other until they are told to stop."""

    def __init__(self, address: tuple[str, int], routes: int, clients: int = 2) -> None:
        self.answers: dict[bytes, bytes | None] = {}
        """The generation in the answer, by the request's number."""
        self.met: set[bytes | None] = set()
        """The generations in answers."""
        self.failures: list[object] = []
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(address, routes, client), daemon=True) for client in range(clients)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(20)

    def _ask(self, address: tuple[str, int], routes: int, client: int) -> None:
        try:
            with Client(address) as connection:
                number = 0
                while not self._stopped.wait(0.005):
                    number += 1
                    name = b"%d-%d" % (client, number)
                    target = b"/service%d/?n=%b" % (number % routes, name)
                    reply = connection.exchange(lines(b"GET %b HTTP/1.1" % target, b"Host: many.test"))
                    if reply.status != 200:
                        self.failures.append(reply)
                    self.answers[name] = reply.value(b"x-generation")
                    self.met.add(self.answers[name])
        except BaseException as error:
            self.failures.append(error)


class Rules:
    """One file, written anew each time."""

    def __init__(self, folder: Path, routes: int) -> None:
        self._folder = folder
        self._routes = routes
        self.good = {b"0"}
        self.write(0)

    def write(self, generation: int, broken: str = "") -> None:
        text = HEAD.format(generation) + "".join(ROUTE.format(number, generation) for number in range(self._routes))
        (self._folder / "new").write_text(text + broken)
        os.replace(self._folder / "new", self._folder / "many.yaml")
        if not broken:
            self.good.add(b"%d" % generation)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("destination-rule.yaml", "service-entry.yaml"):
        (tmp_path / name).write_text((ROOT / "rules" / name).read_text())
    return tmp_path


@pytest.fixture
def upstreams() -> Iterator[tuple[Recorder, Recorder]]:
    with Recorder() as v1, Recorder() as v2:
        yield v1, v2


@pytest.mark.parametrize(("routes", "reloads"), [(20, 40), (1000, 4), pytest.param(1000, 1000, marks=pytest.mark.long)])
def test_no_request_fails_or_meets_two_sets_of_rules(
    routes: int, reloads: int, folder: Path, confdir: Path, upstreams: tuple[Recorder, Recorder]
) -> None:
    v1, v2 = upstreams
    rules = Rules(folder, routes)
    with Web(confdir, "--set", f"mirror_rules={folder}", "--set", "view_filter=~c 999", *endpoints(v1, v2)) as web:
        with Load(web.address, routes) as load:
            web.wait_until(lambda: b"0" in load.met)
            for generation in range(1, reloads + 1):
                broken = BROKEN[generation // 4 % 3] if generation % 4 == 0 else ""
                said = len(web.output)
                rules.write(generation, broken)
                web.command("mirror.reload")
                web.wait_for("stay in force" if broken else r"reloaded \d+ resources", timeout=60, after=said)
                web.wait_until(lambda: rules.good <= load.met or bool(load.failures))
        assert load.failures == []
        v2.wait_until_answered(len(load.answers))
        web.wait_until(lambda: f"\nsent {len(load.answers)}\n" in web.command("mirror.status"))
    primaries = {request.target.partition(b"n=")[2]: request for request in v1.received}
    shadows = {request.target.partition(b"n=")[2]: request for request in v2.received}
    assert primaries.keys() == shadows.keys() == load.answers.keys()
    met = set()
    for name, answered in load.answers.items():
        generations = {
            answered,
            primaries[name].value(b"x-generation"),
            shadows[name].value(b"x-generation"),
            shadows[name].value(b"x-shadow-generation"),
        }
        assert len(generations) == 1, (name, generations)
        met |= generations
    assert met == rules.good
