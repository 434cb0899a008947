"""One rule set, the same recorders, the same requests: once through Envoy with the export, once through mitmdump."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from envoytools.bench import Envoy
from envoytools.bench import Recorders
from envoytools.bench import observation
from envoytools.curated.cases import Case
from envoytools.curated.together import CASES
from envoytools.outcome import OWN
from envoytools.outcome import Outcome
from envoytools.outcome import Sent
from envoytools.outcome import computed
from envoytools.outcome import difference
from livetools.client import Client
from livetools.proxy import Proxy
from livetools.recorder import PATIENCE

from mirror_addon.envoy.bootstrap import Address
from mirror_addon.envoy.bootstrap import ExportOptions
from mirror_addon.envoy.bootstrap import translate
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable


@dataclass(frozen=True)
class Engines:
    """Where each engine listens, and the recorders behind both."""

    envoy: tuple[str, int]
    mitmdump: tuple[str, int]
    recorders: Recorders
    table: RouteTable

    def decided(self, requests: tuple[Sent, ...]) -> list[Outcome]:
        return [computed(self.table, self.recorders.upstreams, sent, 0, 0, "-shadow") for sent in requests]

    def outcomes(self, address: tuple[str, int], requests: tuple[Sent, ...], like: list[Outcome]) -> list[Outcome]:
        """What becomes of the requests at an engine; waits for shadows until it is `like` that, in vain if never."""
        numbers = self.recorders.begin(len(requests))
        answers = []
        for number, sent in zip(numbers, requests, strict=True):
            with Client(address) as client:
                answers.append(client.exchange(sent.wire(number)))
        deadline = time.monotonic() + PATIENCE
        while True:
            arrived = self.recorders.arrived()
            found = [observation(answer, arrived[number]) for answer, number in zip(answers, numbers, strict=True)]
            if found == like or time.monotonic() > deadline:
                return found
            time.sleep(0.005)


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory, confdir: Path) -> Iterator[Engines]:
    rules = tmp_path_factory.mktemp("rules")
    text = "".join(case.rules for case in CASES)
    (rules / "all.yaml").write_text(text)
    with Recorders() as recorders, Envoy(tmp_path_factory.mktemp("envoy")) as envoy:
        options = ExportOptions(Address("127.0.0.1", 0), Address("127.0.0.1", 0))
        table = recorders.table(text, Identity(local_address=OWN))
        envoy.apply(translate(table, options))
        endpoints = [f"mirror_endpoints={name}={recorder}" for name, recorder in recorders.by_name.items()]
        arguments = [word for setting in (f"mirror_rules={rules}", *endpoints) for word in ("--set", setting)]
        with Proxy(confdir, "--mode", "reverse:http://127.0.0.1:9", *arguments) as mitmdump:
            yield Engines(envoy.address, mitmdump.address, recorders, table)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_mitmdump_does_what_envoy_does(engines: Engines, case: Case) -> None:
    by_envoy = engines.outcomes(engines.envoy, case.requests, engines.decided(case.requests))
    by_addon = engines.outcomes(engines.mitmdump, case.requests, by_envoy)
    problems = [
        f"{sent}\n{difference(ours, theirs)}"
        for sent, ours, theirs in zip(case.requests, by_addon, by_envoy, strict=True)
        if ours != theirs
    ]
    assert not problems, "\n\n".join(problems)
