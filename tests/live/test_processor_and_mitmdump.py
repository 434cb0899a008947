"""One rule set, the same recorders, the same requests: once through Envoy with a processor, once through mitmdump.

Shadows and verdicts are the same. What `envoytools.outcome` leaves out of the comparison is what Envoy adds to every
request and what frames a body. In the records URLs are as Envoy normalises them; and a processor does not compare the
response fields that the route itself edits.
"""

from __future__ import annotations

import json
import time
from collections import Counter
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
from livetools.mesh import ProcessorTool
from livetools.ports import reserved_port
from livetools.proxy import Proxy
from livetools.recorder import PATIENCE

from mirror_addon.envoy.bootstrap import Address
from mirror_addon.envoy.bootstrap import ExportOptions
from mirror_addon.envoy.bootstrap import translate
from mirror_addon.envoy.processor import Processors
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.normalization import LEVELS
from mirror_addon.routing.table import RouteTable

MIRRORED = [case for case in CASES if "mirror" in case.rules]
Verdicts = Counter[tuple[str, str, str, str, tuple[str, ...]]]


@dataclass(frozen=True)
class Engines:
    """Where each engine listens, the recorders behind both, and where they record."""

    envoy: tuple[str, int]
    mitmdump: tuple[str, int]
    recorders: Recorders
    table: RouteTable
    records: tuple[Path, Path]

    def outcomes(self, address: tuple[str, int], requests: tuple[Sent, ...], like: list[Outcome]) -> list[Outcome]:
        """What becomes of the requests at an engine; waits until it is `like` that, in vain if never."""
        numbers = self.recorders.begin(len(requests))
        answers = []
        for number, sent in zip(numbers, requests, strict=True):
            with Client(address) as client:
                answers.append(client.exchange(sent.wire(number)))
        deadline = time.monotonic() + PATIENCE / 6
        while True:
            arrived = self.recorders.arrived()
            found = [observation(answer, arrived[number]) for answer, number in zip(answers, numbers, strict=True)]
            if found == like or time.monotonic() > deadline:
                return found
            time.sleep(0.005)


def normalized(url: str) -> str:
    """A URL as Envoy's connection manager leaves it: a processor does not see what the client wrote."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}{LEVELS['BASE']((slash + path).encode()).decode()}"


def verdicts(record: Path) -> Verdicts:
    """What a record says, line by line, without times, ids and draws."""
    lines = map(json.loads, record.read_text().splitlines())
    return Counter(
        (
            f"{line['method']} {normalized(line['url'])}",
            f"{line['rule']}: {line['route']} and {line['target']}",
            f"{line['primary']['status']} and {line['shadow']['status']}",
            str(line["verdict"]),
            tuple(each["path"] for each in line["differences"] if not each["noise"]),
        )
        for line in lines
    )


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory, confdir: Path) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("rules")
    text = "".join(case.rules for case in CASES)
    (folder / "all.yaml").write_text(text)
    records = folder.with_name("by-the-processor.jsonl"), folder.with_name("by-mitmdump.jsonl")
    with (
        Recorders({"m1": b"another"}) as recorders,
        Envoy(tmp_path_factory.mktemp("envoy")) as envoy,
        reserved_port() as port,
    ):
        processors = Processors((("127.0.0.1", port),))
        options = ExportOptions(Address("127.0.0.1", 0), Address("127.0.0.1", 0), processors=processors)
        table = recorders.table(text, Identity(local_address=OWN))
        envoy.apply(translate(table, options))
        endpoints = [f"mirror_endpoints={name}={recorder}" for name, recorder in recorders.by_name.items()]
        given = [word for setting in endpoints for word in ("--set", setting)]
        rules = ["--set", f"mirror_rules={folder}", "--set", f"mirror_record={records[1]}"]
        with (
            ProcessorTool(folder, *given, "--record", str(records[0]), port=port),
            Proxy(confdir, "--mode", "reverse:http://127.0.0.1:9", *rules, *given) as mitmdump,
        ):
            yield Engines(envoy.address, mitmdump.address, recorders, table, records)
    assert verdicts(records[0]) == verdicts(records[1])
    assert {verdict for _, _, _, verdict, _ in verdicts(records[0])} == {"same", "different"}


@pytest.mark.parametrize("case", MIRRORED, ids=lambda case: case.name)
def test_the_processor_does_what_the_addon_does(engines: Engines, case: Case) -> None:
    decided = [computed(engines.table, engines.recorders.upstreams, sent, 0, 0, "-shadow") for sent in case.requests]
    by_addon = engines.outcomes(engines.mitmdump, case.requests, decided)
    by_envoy = engines.outcomes(engines.envoy, case.requests, by_addon)
    problems = [
        f"{sent}\n{difference(ours, theirs)}"
        for sent, ours, theirs in zip(case.requests, by_addon, by_envoy, strict=True)
        if ours != theirs
    ]
    assert not problems, "\n\n".join(problems)
