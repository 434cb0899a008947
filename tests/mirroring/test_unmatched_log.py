from __future__ import annotations

import logging

import pytest

from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.mirroring.unmatched_log import LONGEST
from mirror_addon.mirroring.unmatched_log import MOST
from mirror_addon.mirroring.unmatched_log import UnmatchedLog
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.test, pay.test, '*.wild.test', cart]
  http:
  - match: [{uri: {prefix: /a}}]
    directResponse: {status: 200}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: z-ports}
spec:
  hosts: [other.example]
  http:
  - match: [{port: 81}]
    directResponse: {status: 200}
"""


def table_of(text: str) -> RouteTable:
    return RouteTable.build(parse_sources([Source("a.yaml", text.encode())]).resources, Identity())


TABLE = table_of(RULES)


class Noted:
    """Passes requests to the log, and keeps its lines."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        self.caplog, self.log, self.table = caplog, UnmatchedLog(), TABLE

    def __call__(self, host: bytes, path: bytes = b"/", port: int = 80) -> list[str]:
        self.caplog.clear()
        request = Request(b"GET", b"http", host, path, (), port)
        decision = self.table.route(request, 0)
        assert decision.rule is None
        self.log.note(self.table, request, decision)
        return self.caplog.messages


@pytest.fixture
def noted(caplog: pytest.LogCaptureFixture) -> Noted:
    return Noted(caplog)


CURE = "rules go by the Host of a request: curl -H 'Host: shop.test'"
HAVE = "the rules have: shop.test, pay.test, *.wild.test, cart.default.svc.cluster.local, other.example"


@pytest.mark.parametrize(
    ("host", "line"),
    [
        (b"127.0.0.1:8080", f"no rule for host '127.0.0.1:8080'; {HAVE}; {CURE}"),
        (b"localhost", f"no rule for host 'localhost'; {HAVE}; {CURE}"),
        (b"[::1]:80", f"no rule for host '[::1]:80'; {HAVE}; {CURE}"),
        (b"shpo.test", f"no rule for host 'shpo.test'; {HAVE}; did you mean shop.test?"),
        (b"SHOP.TSET:8080", f"no rule for host 'SHOP.TSET:8080'; {HAVE}; did you mean shop.test?"),
        (b"carts", f"no rule for host 'carts'; {HAVE}; did you mean cart?"),
        (b"www.elsewhere.example", f"no rule for host 'www.elsewhere.example'; {HAVE}"),
        (b"", f"no rule for host ''; {HAVE}"),
        (b"\x1b[2J\xff\n", rf"no rule for host '\x1b[2J\\xff\n'; {HAVE}"),
        (b"other.example", "no rule for host 'other.example' on port 80: its rules are for other ports"),
    ],
)  # fmt: skip
def test_a_host(noted: Noted, host: bytes, line: str) -> None:
    assert noted(host) == [f"mirror: {line}"]
    assert noted(host) == [], "once"


def test_what_is_near_is_a_warning(noted: Noted) -> None:
    noted(b"shpo.test")
    assert noted.caplog.records[0].levelno == logging.WARNING
    noted(b"www.elsewhere.example")
    assert noted.caplog.records[0].levelno == logging.INFO


def test_a_path(noted: Noted) -> None:
    (line,) = noted(b"shop.test", b"/b?q")
    assert line == "mirror: no rule of host 'shop.test' matches 'GET' '/b?q': 404; mirror-addon explain shows why"
    assert noted(b"shop.test", b"/c") == []
    assert len(noted(b"pay.test", b"/c")) == 1


def test_long_texts_are_cut(noted: Noted) -> None:
    (line,) = noted(b"x" * 100_000)
    assert len(line) < 3 * LONGEST + len(HAVE)
    (line,) = noted(b"shop.test", b"/" + b"y" * 100_000)
    assert len(line) < 4 * LONGEST


def test_clients_cannot_fill_the_log_or_the_memory(noted: Noted) -> None:
    lines = [line for number in range(10 * MOST) for line in noted(b"h%d.example" % number)]
    assert len(lines) == MOST + 1
    assert "are not logged any more" in lines[-1]
    assert len(noted.log._met) == MOST + 1


def test_other_rules_begin_anew(noted: Noted) -> None:
    assert noted(b"shpo.test")
    noted.log.rules_changed(TABLE)
    assert noted(b"shpo.test")


def test_without_rules_the_start_has_said_so(noted: Noted) -> None:
    noted.table = table_of("")
    assert noted(b"shop.test") == []


def test_many_hosts_are_counted(noted: Noted) -> None:
    hosts = ", ".join(f"h{number}.test" for number in range(2000))
    noted.table = table_of(RULES.replace("shop.test, pay.test, '*.wild.test', cart", hosts))
    (line,) = noted(b"zzz")
    assert "the rules have: h0.test, h1.test, h2.test, h3.test, h4.test, and 1996 more" in line
