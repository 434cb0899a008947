"""`python -m bench.twin`: what `mirror_twin` makes of sessions with state, and what it costs.

Two shops that give their own ids run behind real mitmdump. Clients log in, order, fill carts and write to a form, many
at a time, each doing what it was answered. The mirror is as fast as the primary, faster, or slower; its ids are numbers
or UUIDs, and all numbers are those of other things too. Afterwards both shops must hold the same. The table has

- requests, and those of them whose shadow had another status, without and with `mirror_twin`;
- wrong substitutions: how many things one shop holds and the other does not;
- shadows in which something was translated, and those sent without;
- differing pairs: where ids become UUIDs, the first list of products differs, once, because their type has changed;
- whether the primary got the bytes that it gets from a proxy without twin: the clients' heads and bodies.

The cost is processor time of a request in which nothing is to be translated, beside a map of 10,000 entries: to read
it, and with its pair, whose responses are read too, to learn from them.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click

from bench.contenders import ROOT
from bench.processes import free_port
from bench.programs import MITMDUMP
from bench.report import heading
from bench.report import line
from bench.report import machine
from bench.twin_sessions import Answered
from bench.twin_sessions import Browser
from bench.twin_sessions import Send
from bench.twin_sessions import over_http
from bench.twin_sessions import session
from bench.twin_shop import V1
from bench.twin_shop import V2
from bench.twin_shop import V2_UUIDS
from bench.twin_shop import Raw
from bench.twin_shop import Server
from bench.twin_shop import Shop
from bench.twin_shop import Style
from bench.twin_shop import raw
from mirror_addon.compare.answer import Answer
from mirror_addon.shadow.frames import Head
from mirror_addon.shadow.frames import pack
from mirror_addon.shadow.frames import unpack
from mirror_addon.shadow.subject import Subject
from mirror_addon.twin.requests import Call
from mirror_addon.twin.twin import Twin
from mirror_addon.twin.twin_map import MAX_ENTRIES
from mirror_addon.twin.twin_map import Entry
from mirror_addon.worker.attempt import ABORTED
from mirror_addon.worker.budget import Budget
from mirror_addon.worker.job import Job
from mirror_addon.worker.pair_book import PairBook
from mirror_addon.worker.pair_book import PendingPair
from mirror_addon.worker.twins import Twins

COLUMNS = (
    "mirror",
    "twin",
    "requests",
    "status mismatches",
    "differing pairs",
    "wrong substitutions",
    "translated",
    "sent without",
    "the primary's bytes",
)
SLOW = 0.03
"""Seconds that the slow side takes for a response, at most."""
DRAIN = "60s"
PATIENCE = 120.0
HOST = "shop.test"


@dataclass(frozen=True, slots=True)
class Run:
    """What became of the sessions of one run."""

    requests: int
    mismatches: int
    different: int
    wrong: int
    translated: int
    missing: int
    untouched: bool


class Proxy:
    """mitmdump in front of one shop with the other as its mirror."""

    def __init__(self, v1: int, v2: int, folder: Path, *options: str) -> None:
        self.port = free_port()
        self._log = (folder / "log").open("w+")
        settings = [
            "keep_host_header=true",
            "flow_detail=0",
            f"mirror_to=http://127.0.0.1:{v2}",
            f"mirror_drain={DRAIN}",
            *options,
        ]
        words = [str(MITMDUMP.path), "-s", str(ROOT / "mirror_addon"), "--mode", f"reverse:http://127.0.0.1:{v1}"]
        words += ["--listen-host", "127.0.0.1", "--listen-port", str(self.port)]
        words += [part for setting in settings for part in ("--set", setting)]
        self._process = subprocess.Popen(
            words, cwd=folder, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
        )

    def __enter__(self) -> Proxy:
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return self
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"mitmdump did not start:\n{self.log()}")
            time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log(self) -> str:
        """What it has written so far."""
        self._log.seek(0)
        return self._log.read()


def slow(seed: int) -> Callable[[str, str], float]:
    """A delay that varies."""
    luck = random.Random(seed)
    return lambda method, target: luck.random() * SLOW


def fast(method: str, target: str) -> float:
    return 0.0


def keeping(send: Send, sent: list[Raw]) -> Send:
    """`send`, with a note of each request."""

    def kept(method: str, target: str, headers: dict[str, str], body: bytes) -> Answered:
        sent.append(raw(method, target, {"Host": HOST, **headers}, body))
        return send(method, target, headers, body)

    return kept


def run(style: Style, seed: int, clients: int, *options: str, primary_slow: bool, mirror_slow: bool) -> Run:
    """Sessions of `clients` at a time. Raises RuntimeError if the primary refused a request."""
    first, second = Shop(V1), Shop(style)
    sent: list[Raw] = []
    with tempfile.TemporaryDirectory(prefix="mirror-addon-bench-") as name:
        record = Path(name) / "pairs.jsonl"
        with (
            Server(first, slow(seed) if primary_slow else fast) as v1,
            Server(second, slow(seed + 1) if mirror_slow else fast) as v2,
            Proxy(v1.port, v2.port, Path(name), f"mirror_record={record}", *options) as proxy,
            contextlib.ExitStack() as stack,
        ):
            connections = [stack.enter_context(over_http(proxy.port, HOST)) for _ in range(clients)]
            browsers = [Browser(keeping(send, sent)) for send in connections]
            with ThreadPoolExecutor(clients) as pool:
                sessions = [
                    pool.submit(session, browser, f"user-{number}", random.Random(seed * 1000 + number))
                    for number, browser in enumerate(browsers)
                ]
            deadline = time.monotonic() + PATIENCE
            while lines_of(record) < len(sent) and time.monotonic() < deadline:
                time.sleep(0.05)
            arrived = Counter(v1.raw)
        for each in sessions:
            each.result()
        pairs = [json.loads(text) for text in record.read_text().splitlines()]
        log = proxy.log()
    if refused := sum(browser.refused for browser in browsers):
        raise RuntimeError(f"the primary refused {refused} requests")
    one, other = first.contents(), second.contents()
    missing = re.search(r"^\s*adapted\.twin_missing (\d+)", log, re.MULTILINE)
    return Run(
        len(pairs),
        sum(each["primary"]["status"] != each["shadow"]["status"] for each in pairs),
        sum(each["verdict"] == "different" for each in pairs),
        sum((Counter(one[name]) - Counter(other[name])).total() for name in one),
        sum(bool(each.get("twin")) for each in pairs),
        int(missing[1]) if missing else 0,
        arrived == Counter(sent),
    )


def lines_of(record: Path) -> int:
    return record.read_bytes().count(b"\n") if record.exists() else 0


def cost(call: Call, entries: int = MAX_ENTRIES, rounds: int = 5, count: int = 2000) -> float:
    """Microseconds of processor time that a shadow with nothing to translate takes: unpacking its head and reading it.

    Of several rounds the fastest: what else the machine does makes a round slower, never faster.
    """
    twin = Twin()
    for number in range(entries):
        twin.map.learn(("id", "order", str(5000 + number)), "", Entry(str(9000 + number), "p"))
    packed = pack(Head(call.method, b"shop.test", call.path, call.headers, 30.0, 0, 0, 0))
    best = float("inf")
    for _ in range(rounds):
        begun = time.process_time()
        for _ in range(count):
            head = Head(*unpack(packed))
            twin.read(Call(head.method, head.path, head.headers, call.body), "127.0.0.1:1", 1)
        best = min(best, (time.process_time() - begun) / count)
    return best * 1e6


def pair_cost(call: Call, entries: int = MAX_ENTRIES, rounds: int = 5, count: int = 500) -> float:
    """Microseconds of processor time that the twin takes of the worker for a whole pair: the request, and both
    responses, which are equal and name nothing that is known."""
    response = Answer(200, ((b"Content-Type", b"application/json"),), ANSWER, len(ANSWER))
    packed = pack(Head(call.method, b"shop.test", call.path, call.headers, 30.0, 0, 0, 0))
    made = call.method.decode(), f"http://shop.test{call.path.decode()}"
    twins = Twins(lambda job, target: None, click.echo)
    book = PairBook(lambda match: None, Budget(0), time.time)

    def pair(number: int, twin: bool) -> None:
        subject = Subject(f"{number}", 0.0, "r", "b/v1", False, False, *made, 1, "127.0.0.1:1", twin=True)
        each = PendingPair(number, f"{number}/1", "b/v2", subject)
        book.join(each)
        job = Job(number, packed, call.body or b"", True)
        if twin:
            twins.take(job, each, b"target")
            twins.primary_ended(book.pairs_of(subject.group), response)
            twins.told(job, ABORTED)
            twins.ended(each, response)
        else:
            Head(*unpack(job.request))
        book.ended(each, response)
        book.primary_ended(subject.group, response)
        book.settled(each)

    best = {True: float("inf"), False: float("inf")}
    pair(0, True)
    for number in range(entries):
        known = twins.of("b/v2")
        assert known is not None
        known.map.learn(("id", "order", str(5000 + number)), "", Entry(str(9000 + number), "p"))
    for _ in range(rounds):
        for twin in best:
            begun = time.process_time()
            for number in range(1, count + 1):
                pair(number, twin)
            best[twin] = min(best[twin], (time.process_time() - begun) / count)
    return (best[True] - best[False]) * 1e6


FIELDS = (
    (b"User-Agent", b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"),
    (b"Accept", b"application/json"),
    (b"Accept-Language", b"en"),
    (b"Cookie", b"theme=dark; sid=3c7e2b1f0a9d4c58b6d1; consent=1"),
    (b"X-Forwarded-For", b"127.0.0.1"),
)
JSON_BODY = json.dumps({"product_id": 12, "quantity": 1007, "note": "leave it at the door", "options": ["red", "XL"]})
ANSWER = json.dumps({"id": 12, "name": "pen", "price": 1007, "tags": ["blue", "fine"], "stock": {"left": 3}}).encode()
CALLS = {
    "GET": Call(b"GET", b"/api/v1/products/12?sort=price&limit=50&page=2", FIELDS),
    "POST, JSON": Call(
        b"POST", b"/api/v1/carts/7/items", (*FIELDS, (b"Content-Type", b"application/json")), JSON_BODY.encode()
    ),
    "POST, form": Call(
        b"POST",
        b"/contact",
        (*FIELDS, (b"Content-Type", b"application/x-www-form-urlencoded")),
        b"name=Ann&text=hello&rating=5&page=1007",
    ),
}


@click.command(help=(__doc__ or "").partition("\n")[0])
@click.option("--clients", default=12, help="Sessions at a time.")
@click.option("--seed", default=1, help="Another seed makes other sessions.")
def main(clients: int, seed: int) -> None:
    click.echo(machine())
    click.echo(heading(COLUMNS))
    for style, primary_slow, mirror_slow in (
        (V2, False, False),
        (V2, True, False),
        (V2, False, True),
        (V2_UUIDS, False, False),
        (V2_UUIDS, False, True),
    ):
        speed = "slower" if mirror_slow else "faster" if primary_slow else "as fast"
        name = f"{'UUIDs and numbers' if style.uuids else 'numbers'}, {speed}"
        for twin in (False, True):
            options = ("mirror_twin=true",) if twin else ()
            found = run(style, seed, clients, *options, primary_slow=primary_slow, mirror_slow=mirror_slow)
            numbers = (found.requests, found.mismatches, found.different, found.wrong, found.translated, found.missing)
            bytes_of_primary = "untouched" if found.untouched else "CHANGED"
            click.echo(line((name, "on" if twin else "off", *map(str, numbers), bytes_of_primary)))
    click.echo("\nA shadow with nothing to translate, beside 10,000 entries, in microseconds of processor time:\n")
    click.echo(heading(("request", "to read it", "with its pair, to learn from it")))
    for name, call in CALLS.items():
        click.echo(line((name, f"{cost(call):.1f}", f"{pair_cost(call):.1f}")))


if __name__ == "__main__":
    main()
