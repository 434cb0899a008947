"""Mirrors that are limited, chosen, edited and steered: annotations and commands, through a real proxy."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from livetools.client import Client
from livetools.client import exchange
from livetools.live_page import LivePage
from livetools.proxy import ROOT
from livetools.proxy import Proxy
from livetools.recorder import Conversation
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.recorder import close
from livetools.recorder import hang
from livetools.recorder import slow
from livetools.web import Web
from livetools.wire import Received
from livetools.wire import lines
from livetools.worked_example import endpoints

SHARE = {"value": 50}


def service(host: str, **annotations: str) -> str:
    """A virtual service called as its host, mirrored from v1 to v2."""
    http = {"route": [{"destination": {"host": "serviceB", "subset": "v1"}}]}
    http |= {"mirror": {"host": "serviceB", "subset": "v2"}}
    if host.startswith("half"):
        http |= {"mirrorPercentage": SHARE}
    names = {name.replace("_", "-"): text for name, text in annotations.items()}
    document = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": host, "annotations": {f"mirror-addon/{name}": text for name, text in names.items()}},
        "spec": {"hosts": [f"{host}.test"], "http": [http]},
    }
    return json.dumps(document)


@pytest.fixture(scope="module")
def web(confdir: Path, tmp_path_factory: pytest.TempPathFactory, upstreams: tuple[Recorder, Recorder]) -> Iterator[Web]:
    rules = tmp_path_factory.mktemp("rules")
    for name in ("destination-rule.yaml", "service-entry.yaml"):
        (rules / name).write_text((ROOT / "rules" / name).read_text())
    (rules / "services.yaml").write_text(
        "\n---\n".join(
            [
                service("plain"),
                service("failing", when="~c 500"),
                service("error", when="~e"),
                service("posts", when="~m POST & ~u /orders"),
                service("bodies", when="~bq secret"),
                service("edited", remove_headers="Authorization, cookie", set_headers='{"X-Mirror-Shadow": "1"}'),
                service("safe", methods="safe"),
                service("rate", max_rps="1"),
                service("some", max_requests="2"),
                service("careful", max_latency="300ms"),
                service("over", expires="2020-01-01T00:00:00Z"),
                service("closed", active="2020-01-01T00:00Z/PT30M"),
                service("half-sticky", sample_by="header:x-user"),
                service("half-again", sample_by="header:x-user"),
            ]
        )
    )
    options = ("--set", f"mirror_rules={rules}", "--set", "stream_large_bodies=101k")
    with Web(confdir, *options, *endpoints(*upstreams)) as running:
        ask(running, "plain")
        for upstream in reversed(upstreams):
            upstream.one(timeout=60)  # the worker has started
        running.rules = rules  # type: ignore[attr-defined]
        yield running


def ask(web: Web, host: str, line: bytes = b"GET /", *fields: bytes, body: bytes = b"") -> int:
    if body:
        fields += (b"Content-Length: %d" % len(body),)
    request = lines(line + b" HTTP/1.1", b"Host: %b.test" % host.encode(), *fields) + body
    return exchange(web.address, request).status


def counter(web: Web, name: str) -> int:
    found = re.search(rf"^{re.escape(name)} (\d+)$", web.command("mirror.status"), re.MULTILINE)
    return int(found[1]) if found else 0


class Skips:
    """How often a reason was counted since then."""

    def __init__(self, web: Web, reason: str) -> None:
        self.web, self.name = web, f"skipped.{reason}"
        self.before = counter(web, self.name)

    def __call__(self) -> int:
        return counter(self.web, self.name) - self.before


def test_only_requests_that_failed(web: Web, v1: Recorder, v2: Recorder) -> None:
    skipped = Skips(web, "when")
    assert ask(web, "failing", b"POST /fine", body=b"one") == 200
    assert skipped() == 1
    v1.behave(answer(b"500 Oh"))
    assert ask(web, "failing", b"POST /bad", body=b"two") == 500
    shadow = v2.one()
    assert (shadow.target, shadow.body, shadow.value(b"host")) == (b"/bad", b"two", b"failing.test-shadow")
    assert skipped() == 1
    assert "held:" not in web.command("mirror.status")
    v1.take(2)


def test_requests_without_an_answer(web: Web, v1: Recorder, v2: Recorder) -> None:
    v1.behave(close)
    assert ask(web, "error", b"GET /lost") == 502
    assert v2.one().target == b"/lost"
    v1.restore()
    assert ask(web, "error", b"GET /found") == 200
    assert v2.received == []


def test_a_client_that_left_counts_as_an_error(web: Web, v1: Recorder, v2: Recorder) -> None:
    v1.behave(lambda conversation, request: bool(conversation.wait(3)))
    with Client(web.address) as client:
        client.send(lines(b"GET /left HTTP/1.1", b"Host: error.test"))
        v1.one()
        assert "held: 1 requests, 1024 bytes" in web.command("mirror.status")
    assert v2.one().target == b"/left"


def test_when_the_request_alone_decides_nothing_is_held(web: Web, v1: Recorder, v2: Recorder) -> None:
    skipped = Skips(web, "when")
    v1.behave(lambda conversation, request: bool(conversation.wait(3)))
    with Client(web.address) as client:
        client.send(lines(b"POST /orders/1 HTTP/1.1", b"Host: posts.test", b"Content-Length: 0"))
        assert v2.one().target == b"/orders/1"
    assert skipped() == 0
    v1.restore()
    ask(web, "posts", b"GET /orders/1")
    ask(web, "posts", b"POST /others", body=b"x")
    ask(web, "bodies", b"POST /", body=b"nothing")
    assert skipped() == 3
    ask(web, "bodies", b"POST /told", body=b"a secret")
    assert v2.one().target == b"/told"


def test_a_body_that_passed_by_is_not_there_any_more(web: Web, v1: Recorder, v2: Recorder) -> None:
    streamed = Skips(web, "streamed")
    body = b"x" * 200_000
    assert ask(web, "failing", b"POST /", body=body) == 200
    assert ask(web, "bodies", b"POST /", body=body) == 200
    assert streamed() == 2
    assert ask(web, "posts", b"POST /orders", body=body) == 200
    assert v2.one().body == body


def test_what_is_held_is_bounded_and_let_go_at_the_end(
    confdir: Path, tmp_path: Path, v1: Recorder, v2: Recorder
) -> None:
    for name in ("destination-rule.yaml", "service-entry.yaml"):
        (tmp_path / name).write_text((ROOT / "rules" / name).read_text())
    (tmp_path / "failing.yaml").write_text(service("failing", when="~c 500"))
    v1.behave(hang)
    options = ("--set", f"mirror_rules={tmp_path}", "--set", "mirror_queue=100kB", "--set", "mirror_max_body=90kB")
    options += ("--set", "mirror_drain=1s")  # the primaries never respond
    proxy = Proxy(confdir, *options, *endpoints(v1, v2))
    with contextlib.ExitStack() as clients:
        clients.callback(
            proxy.kill
        )  # no more of it: mitmproxy 11 prints tracebacks of connections that it cuts at its end
        for size in (80_000, 80_000, 95_000):
            client = clients.enter_context(Client(proxy.address))
            client.send(lines(b"POST / HTTP/1.1", b"Host: failing.test", b"Content-Length: %d" % size) + b"x" * size)
            v1.one()
        proxy.interrupt()
    dropped = {name: number for name, number in proxy.totals.items() if name.startswith("dropped.")}
    assert dropped == {"dropped.shutdown": 1, "dropped.queue_full": 1, "dropped.body_too_large": 1}
    assert v2.received == []


def test_headers_of_the_shadow_alone(web: Web, v1: Recorder, v2: Recorder) -> None:
    fields = (b"Authorization: Basic eDp5", b"Cookie: a=b", b"Connection: x-mirror-shadow", b"X-Kept: 1")
    ask(web, "edited", b"GET /", *fields)
    primary, shadow = v1.one(), v2.one()
    assert primary.value(b"authorization") == b"Basic eDp5"
    assert primary.value(b"x-mirror-shadow") is None
    assert [shadow.value(name) for name in (b"authorization", b"cookie", b"x-mirror-shadow", b"x-kept")] == [
        None,
        None,
        b"1",
        b"1",
    ]


def test_methods_window_and_expiry(web: Web, v1: Recorder, v2: Recorder) -> None:
    skips = {reason: Skips(web, reason) for reason in ("method", "expired", "inactive")}
    ask(web, "safe", b"DELETE /")
    ask(web, "over")
    ask(web, "closed")
    assert {reason: skipped() for reason, skipped in skips.items()} == {"method": 1, "expired": 1, "inactive": 1}
    ask(web, "safe", b"GET /safe")
    assert v2.one().target == b"/safe"
    status = web.command("mirror.status")
    assert re.search(r"^expires: default/over http\[0\]: \S+, over$", status, re.MULTILINE)
    assert re.search(r"^active: default/closed http\[0\]: .*, over$", status, re.MULTILINE)
    assert web.output.count("default/over http[0]: expired") == 1
    assert "unsafe methods are mirrored too, to serviceB/v2" in web.output


def test_rate_and_quota(web: Web, v1: Recorder, v2: Recorder) -> None:
    too_many, enough = Skips(web, "max_rps"), Skips(web, "max_requests")
    began = time.monotonic()
    for _ in range(6):
        ask(web, "rate")
    allowed = 6 - too_many()
    assert 1 <= allowed <= 1 + (time.monotonic() - began)
    v2.take(allowed)
    for _ in range(5):
        ask(web, "some")
    v2.take(2)
    assert enough() == 3
    assert "max_requests: default/some http[0] -> serviceB/v2: 2 of 2 requests, over" in web.command("mirror.status")
    web.command("mirror.resume", "default/some")
    ask(web, "some")
    v2.one()
    assert v2.received == []


def test_a_mirror_that_becomes_slow_gets_less_until_it_is_quick_again(web: Web, v1: Recorder, v2: Recorder) -> None:
    pause = 0.4

    def behave(conversation: Conversation, request: Received) -> bool:
        return slow(pause)(conversation, request)

    def asked() -> bool:
        return ask(web, "careful") == 200

    v2.behave(behave)
    began, held, sent = len(web.output), Skips(web, "backoff"), counter(web, "offered")
    web.wait_until(lambda: asked() and held() >= 3)
    web.wait_for(r"default/careful -> serviceB/v2: responds in \d+ ms \(max-latency 300 ms\): backing off", after=began)
    (told,) = LivePage(web.address).status()["backoffs"]
    assert (told["virtual_service"], told["target"], told["active"]) == ("default/careful", "serviceB/v2", True)
    assert told["share"] < 1 and told["median_ms"] > 300 and told["max_ms"] == 300
    assert re.search(
        r"^max_latency: default/careful -> serviceB/v2: \d+ % of the shadows; .*, backing off$",
        web.command("mirror.status"),
        re.MULTILINE,
    )
    pause = 0
    web.wait_until(lambda: asked() and "backing off is over" in web.output[began:])
    assert web.output[began:].count(": backing off; ") == 1
    assert "max_latency: default/careful -> serviceB/v2: 100 % of" in web.command("mirror.status")
    at_rest = held()
    asked()
    assert held() == at_rest
    offered = counter(web, "offered") - sent
    assert len(v1.received) - held() == offered
    web.wait_until(lambda: len(v2.received) == offered)  # none comes late, into another test


def test_a_user_is_in_or_out_at_every_mirror(web: Web, v1: Recorder, v2: Recorder) -> None:
    chosen: dict[str, set[bytes]] = {}
    for host in ("half-sticky", "half-again"):
        left_out = Skips(web, "percent")
        for _ in range(2):
            for user in range(12):
                ask(web, host, b"GET /", b"X-User: %d" % user)
        shadows = v2.take(24 - left_out())
        users = [shadow.value(b"x-user") or b"" for shadow in shadows]
        chosen[host] = set(users)
        assert sorted(users) == sorted([*chosen[host], *chosen[host]])
    assert chosen["half-sticky"] == chosen["half-again"]
    assert 0 < len(chosen["half-sticky"]) < 12


def test_steering_a_rule(web: Web, v1: Recorder, v2: Recorder) -> None:
    paused, drawn_out = Skips(web, "paused"), Skips(web, "percent")
    assert web.command("mirror.pause", "default/plain http[0]").startswith("default/plain http[0]: paused")
    assert "overridden: default/plain http[0]: paused" in web.command("mirror.status")
    ask(web, "plain")
    assert paused() == 1
    ask(web, "safe")
    v2.one()
    assert "still paused: default/plain http[0]" in web.command("mirror.resume")
    web.command("mirror.resume", "default/plain/http[0]")
    web.command("mirror.percent", "default/plain", "0")
    assert "overridden: default/plain http[0]: 0 % of the requests" in web.command("mirror.status")
    ask(web, "plain")
    assert drawn_out() == 1
    services = web.rules / "services.yaml"  # type: ignore[attr-defined]
    before = services.read_text()
    reloaded = len(web.output)
    services.write_text(before + "\n---\n" + service("other"))
    web.wait_for("reloaded", after=reloaded)
    ask(web, "plain")
    assert drawn_out() == 2, "an override outlives a reload"
    assert services.read_text().startswith(before), "and is never written down"
    web.command("mirror.percent", "default/plain http[0]", "reset")
    ask(web, "plain", b"GET /again")
    assert v2.one().target == b"/again"
    assert "overridden" not in web.command("mirror.status")


def test_an_unknown_rule_is_answered_with_a_suggestion(web: Web) -> None:
    reply = web.call("POST", "/commands/mirror.pause", {"arguments": ["default/plane http[0]"]})
    assert "did you mean 'default/plain http[0]'" in reply["error"], reply
    reply = web.call("POST", "/commands/mirror.percent", {"arguments": ["default/plain", "lots"]})
    assert "write 0 to 100" in reply["error"], reply


def test_rules_and_explain_tell_of_annotations(web: Web, v1: Recorder, v2: Recorder) -> None:
    assert "; max-requests 2 (" in web.command("mirror.rules")
    assert "; max-latency 300ms (" in web.command("mirror.rules")
    ask(web, "failing", b"GET /told")
    assert "mirror-addon/when: ~c 500" in web.command("mirror.explain", "~u /told")


def test_a_mirror_ends_at_its_time_and_says_so_by_itself(web: Web, v1: Recorder, v2: Recorder) -> None:
    services = web.rules / "services.yaml"  # type: ignore[attr-defined]
    reloaded = len(web.output)
    before = services.read_text()
    services.write_text(before + "\n---\n" + service("soon", expires="50s"))
    web.wait_for("reloaded", after=reloaded)
    ask(web, "soon")
    v2.one()
    assert re.search(r"^expires: default/soon http\[0\]: \S+, in \d+ s$", web.command("mirror.status"), re.MULTILINE)
    services.write_text(before + "\n---\n" + service("soon", expires="1500ms"))
    web.wait_for(r"default/soon http\[0\]: expired: it is not mirrored any more; routing goes on", after=reloaded)
    skipped = Skips(web, "expired")
    assert ask(web, "soon") == 200
    assert skipped() == 1
