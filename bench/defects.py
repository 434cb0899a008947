"""Two servers for `bench.verdicts`: answers with noise in them, and the candidate's with a defect where asked for."""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from urllib.parse import urlsplit

SLOWER = 0.004
"""Seconds that the candidate sleeps where it has the defect of being slower."""
Document = dict[str, Any]


@dataclass
class Reply:
    """An answer that is being made."""

    document: Document
    status: int = 200
    headers: dict[str, str] | None = None
    edit: Callable[[bytes], bytes] = bytes


def reply(number: int) -> Reply:
    """What both servers answer: the same order for the same number, with noise."""
    fixed = random.Random(number)
    now = datetime.now(tz=UTC)
    tags = ["new", "fragile", "gift", "express", "insured"]
    random.shuffle(tags)
    document: Document = {
        "id": number,
        "customer": {"id": str(uuid.UUID(int=fixed.getrandbits(128), version=4)), "name": f"Zoë {number}"},
        "created": datetime.fromtimestamp(1.7e9 + number * 977, tz=UTC).isoformat(),
        "items": [
            {"sku": f"A{100 + i}", "price": fixed.randrange(100, 99999) / 100, "count": fixed.randrange(1, 9)}
            for i in range(6)
        ],
        "total": fixed.randrange(1000, 999999) / 100,
        "paid": fixed.random() < 0.5,
        "coupon": None if fixed.random() < 0.5 else "SPRING",
        "servedAt": now.isoformat(),
        "servedMs": int(now.timestamp() * 1000),
        "requestId": str(uuid.uuid4()),
        "tags": tags,
        "advertisement": random.choice(["boots", "hats", "gloves", "scarves", "umbrellas", "kites"]),
    }
    headers = {"Cache-Control": "max-age=60", "X-Request-Id": uuid.uuid4().hex, "ETag": f'"{uuid.uuid4().hex[:12]}"'}
    return Reply(document, headers=headers)


def changed_value(made: Reply) -> None:
    made.document["total"] += 0.01


def changed_element(made: Reply) -> None:
    made.document["items"][3]["count"] += 1


def off_by_one(made: Reply) -> None:
    del made.document["items"][0]


def duplicated_element(made: Reply) -> None:
    made.document["items"].append(made.document["items"][-1])


def reordered(made: Reply) -> None:
    made.document["items"].reverse()


def type_changed(made: Reply) -> None:
    made.document["total"] = str(made.document["total"])


def flag_as_number(made: Reply) -> None:
    made.document["paid"] = int(made.document["paid"])


def missing_field(made: Reply) -> None:
    del made.document["customer"]["name"]


def extra_field(made: Reply) -> None:
    made.document["customer"]["secret"] = "hunter2"


def null_value(made: Reply) -> None:
    made.document["customer"] = None


def zone_lost(made: Reply) -> None:
    made.document["servedAt"] = made.document["servedAt"].removesuffix("+00:00")


def hour_off(made: Reply) -> None:
    made.document["created"] = datetime.fromtimestamp(
        datetime.fromisoformat(made.document["created"]).timestamp() + 3600, tz=UTC
    ).isoformat()


def flaky_id(made: Reply) -> None:
    made.document["customer"]["id"] = str(uuid.uuid4())


def wrong_charset(made: Reply) -> None:
    made.document["customer"]["name"] = made.document["customer"]["name"].encode().decode("latin-1")


def missing_header(made: Reply) -> None:
    assert made.headers is not None
    del made.headers["Cache-Control"]


def status(made: Reply) -> None:
    made.status = 503


def truncated(made: Reply) -> None:
    made.edit = lambda body: body[: len(body) // 2]


def slower(made: Reply) -> None:
    time.sleep(SLOWER)


DEFECTS: tuple[Callable[[Reply], None], ...] = (
    changed_value,
    changed_element,
    off_by_one,
    duplicated_element,
    reordered,
    type_changed,
    flag_as_number,
    missing_field,
    extra_field,
    null_value,
    zone_lost,
    hour_off,
    flaky_id,
    wrong_charset,
    missing_header,
    status,
    truncated,
)
BY_NAME = {defect.__name__: defect for defect in (*DEFECTS, slower)}


class Handler(BaseHTTPRequestHandler):
    """The primary."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    defective = False

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        made = reply(int(url.path.rpartition("/")[2]))
        defect = parse_qs(url.query).get("defect")
        if self.defective and defect:
            BY_NAME[defect[0]](made)
        body = made.edit(json.dumps(made.document, ensure_ascii=False).encode())
        self.send_response(made.status)
        for name, value in (made.headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class DefectiveHandler(Handler):
    """The candidate."""

    defective = True


@contextlib.contextmanager
def server(handler: type[Handler]) -> Iterator[str]:
    """A server's URL, while it runs."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_address[1]}"
        finally:
            running.shutdown()
            thread.join()
