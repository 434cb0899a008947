"""An Envoy that shows exchanges to a processor, and the processor, as a user runs them."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from livetools.books import assert_balanced
from livetools.books import books
from livetools.client import Client
from livetools.client import exchange
from livetools.proxy import ROOT
from livetools.proxy import Tool
from livetools.recorder import PATIENCE
from livetools.wire import lines

COMMAND = (sys.executable, "-c", "from mirror_addon.cli.main import main; main()")
ENVIRONMENT = {"PYTHONPATH": str(ROOT / "src")}


class ProcessorTool(Tool):
    """`mirror-addon processor`, from when it listens. Its counters must add up at its end."""

    def __init__(self, rules: Path, *arguments: str, port: int = 0) -> None:
        listen = ("--listen", f"127.0.0.1:{port}", "--metrics", "127.0.0.1:0")
        drain = ("--set", f"mirror_drain={PATIENCE:.0f}s")
        super().__init__((*COMMAND, "processor", "--rules", str(rules), *listen, *drain, *arguments), env=ENVIRONMENT)
        try:
            self.port = int(self.wait_for(r"processor is listening at 127\.0\.0\.1:(\d+)\n")[1])
            self._metrics = int(self.wait_for(r"metrics are at http://127\.0\.0\.1:(\d+)/metrics\n")[1])
        except BaseException:
            self.kill()
            raise

    def metrics(self) -> dict[str, float]:
        """All samples by name and labels."""
        text = exchange(("127.0.0.1", self._metrics), lines(b"GET /metrics HTTP/1.1", b"Host: p")).body.decode()
        rows = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in rows}

    def wait_until(self, condition: Callable[[dict[str, float]], bool]) -> dict[str, float]:
        """The metrics, once they meet the condition."""
        deadline = time.monotonic() + PATIENCE
        while not condition(found := self.metrics()):
            assert time.monotonic() < deadline, found
            time.sleep(0.02)
        return found

    @property
    def idle(self) -> bool:
        found = self.metrics()
        return found["mirror_processor_streams_open"] == 0 and not any(
            value for name, value in found.items() if name.startswith("mirror_pending{")
        )

    def finish(self, timeout: float = 2 * PATIENCE) -> int:
        code = super().finish(timeout)
        assert_balanced(self.output)
        return code

    @property
    def totals(self) -> dict[str, int]:
        """The counters at the end."""
        return books(self.output)[-1]


class EnvoyTool(Tool):
    """`mirror-addon envoy` with the rules and processors at these ports."""

    def __init__(self, rules: Path, *arguments: str, ports: tuple[int, ...], admin: int, concurrency: int = 1) -> None:
        processors = ",".join(f"127.0.0.1:{port}" for port in ports)
        given = ("--listen", "127.0.0.1:0", "--admin", f"127.0.0.1:{admin}", "--rules", str(rules))
        showing = ("--processor", processors) if ports else ()
        rest = ("--", "--concurrency", str(concurrency))
        super().__init__((*COMMAND, "envoy", *given, *showing, *arguments, *rest), env=ENVIRONMENT)
        self._admin = ("127.0.0.1", admin)
        try:
            self.address = ("127.0.0.1", int(self.wait_for(r"envoy is listening at 127\.0\.0\.1:(\d+)\n")[1]))
        except BaseException:
            self.kill()
            raise

    def names(self) -> set[str]:
        """The names of all counters and gauges, used or not."""
        found = exchange(self._admin, lines(b"GET /stats HTTP/1.1", b"Host: admin")).body.decode()
        return {line.partition(":")[0] for line in found.splitlines()}

    def stat(self, name: str) -> int:
        """The sum of the counters whose names end so."""
        asked = lines(b"GET /stats?format=json&usedonly HTTP/1.1", b"Host: admin")
        stats: list[dict[str, Any]] = json.loads(exchange(self._admin, asked).body)["stats"]
        return sum(stat["value"] for stat in stats if stat.get("name", "").endswith(name))


class Load:
    """Clients that send a request again and again. As a context manager: the clients run within the block."""

    def __init__(self, address: tuple[str, int], request: bytes, clients: int = 4) -> None:
        self.statuses: Counter[int | str] = Counter()
        self._address = address
        self._request = request
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def _run(self) -> None:
        with Client(self._address) as client:
            while not self._stop.is_set():
                try:
                    status: int | str = client.exchange(self._request).status
                except Exception as error:
                    status = type(error).__name__
                with self._lock:
                    self.statuses[status] += 1
                if isinstance(status, str):
                    return

    @property
    def count(self) -> int:
        with self._lock:
            return self.statuses.total()

    def wait_for(self, more: int) -> None:
        """Until so many more requests have been answered."""
        deadline, wanted = time.monotonic() + PATIENCE, self.count + more
        while self.count < wanted:
            assert time.monotonic() < deadline, self.statuses
            time.sleep(0.01)

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE)
