"""mitmweb with the addon, spoken to over its own REST interface."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from livetools.client import exchange
from livetools.proxy import Proxy
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.web import Web
from livetools.wire import lines
from livetools.worked_example import HOST
from livetools.worked_example import endpoints
from livetools.worked_example import request

JSON = b"Content-Type: application/json"


@pytest.fixture(scope="module")
def web(confdir: Path, upstreams: tuple[Recorder, Recorder]) -> Iterator[Web]:
    with Web(confdir, *endpoints(*upstreams), anew=True) as running:
        yield running


def test_flows_and_status(web: Web, v1: Recorder, v2: Recorder) -> None:
    sent = request(b"POST http://%b/serviceB/orders?x=1" % HOST, b"Content-Length: 2", body=b"hi")
    assert exchange(web.address, sent).body == b"ok"
    assert v1.one().target == v2.one().target == b"//orders?x=1"
    primary = web.call("GET", "/flows")[0]
    assert primary["request"]["path"] == "/serviceB/orders?x=1"
    assert primary["server_conn"]["address"] == ["127.0.0.1", v1.port]
    status = web.command("mirror.status")
    assert re.search(r"^offered 1$", status, re.MULTILINE), status
    assert HOST.decode() in web.command("mirror.rules")


def test_pause_and_resume(web: Web, v1: Recorder, v2: Recorder) -> None:
    web.command("mirror.pause")
    exchange(web.address, request(b"GET http://%b/serviceB/paused" % HOST))
    web.command("mirror.resume")
    exchange(web.address, request(b"GET http://%b/serviceB/resumed" % HOST))
    assert [primary.target for primary in v1.take(2)] == [b"//paused", b"//resumed"]
    assert v2.one().target == b"//resumed"


def test_shadows_are_flows_beside_their_primaries(web: Web, v1: Recorder, v2: Recorder) -> None:
    exchange(web.address, request(b"GET http://%b/serviceB/paired" % HOST))
    assert v1.one().target == v2.one().target == b"//paired"
    web.wait_until(lambda: len(pair(web)) == 2)
    primary, shadow = pair(web)
    assert shadow["marked"] == "👻"
    assert shadow["request"]["pretty_host"] == f"{HOST.decode()}-shadow"
    assert shadow["response"]["status_code"] == 200
    assert shadow["comment"].startswith(f"shadow of {primary['id'][:4]} -> serviceB/v2")


def pair(web: Web, path: str = "//paired") -> list[Any]:
    """The flows with this path, the primary first."""
    return sorted(
        (flow for flow in web.call("GET", "/flows") if flow["request"]["path"] in (path, "/serviceB" + path[1:])),
        key=ghost,
    )


def ghost(flow: Any) -> str:
    return str(flow["marked"])


def mirror_diff(web: Web, flow: Any, part: str = "response") -> list[str]:
    """The lines of the content view."""
    content = web.call("GET", f"/flows/{flow['id']}/{part}/content/Mirror%20Diff.json")
    if "text" in content:  # mitmproxy 12
        return [line.strip() for line in content["text"].splitlines()]
    return ["".join(text for _, text in line).strip() for line in content["lines"]]


def ask(web: Web, v1: Recorder, v2: Recorder, path: bytes, body: bytes = b"hi") -> list[Any]:
    """A mirrored request and its pair, once both flows are there."""
    sent = request(b"POST http://%b/serviceB%b" % (HOST, path), b"Content-Length: %d" % len(body), body=body)
    exchange(web.address, sent)
    v1.one(), v2.one()
    web.wait_until(lambda: len(pair(web, "/" + path.decode())) == 2)
    return pair(web, "/" + path.decode())


def test_mirror_diff(web: Web, v1: Recorder, v2: Recorder) -> None:
    v1.behave(answer(b"200 OK", JSON, body=b'{"total": 41.5, "id": 1}'))
    v2.behave(answer(b"500 Oh", JSON, b"X-New: 1", body=b'{"total": 41.49, "id": 1}'))
    primary, shadow = ask(web, v1, v2, b"/compared")
    assert re.search(r" · 200 vs 500 · 3 differences · [+-]\d+ ms$", shadow["comment"])
    assert primary["comment"] == "mirrored to serviceB/v2"
    told = mirror_diff(web, primary)
    assert told[0] == "different · 3 differences"
    for path, ours, theirs in (("status: value", "200", "500"), ("$.total: value", "41.5", "41.49")):
        at = told.index(path)
        assert told[at + 1 : at + 3] == [f"- {ours}", f"+ {theirs}"]
    assert "header:x-new: extra" in told
    assert mirror_diff(web, shadow) == mirror_diff(web, shadow, "request") == told
    assert web.command("mirror.diff", "@" + primary["id"]).startswith("different · 3 differences\n")


def test_a_shadow_is_sent_again_after_a_fix(web: Web, v1: Recorder, v2: Recorder) -> None:
    v2.behave(answer(body=b"wrong"))
    primary, shadow = ask(web, v1, v2, b"/fixed")
    assert " · 1 difference · " in shadow["comment"]
    v2.restore()
    web.command("mirror.pause")
    assert web.command("mirror.replay", "@" + shadow["id"]) == "sent 1 shadow of 1 request"
    web.command("mirror.resume")
    again = v2.one()
    assert (again.target, again.body, again.value(b"host")) == (b"//fixed", b"hi", HOST + b"-shadow")
    assert v1.received == []
    web.wait_until(lambda: len(pair(web, "//fixed")) == 3)
    assert {flow["comment"].split(" · ")[2] for flow in pair(web, "//fixed")[1:]} == {"1 difference", "same"}
    assert [line for line in mirror_diff(web, primary) if line in ("same", "different · 1 difference")] == [
        "different · 1 difference",
        "same",
    ]


def test_many_replays_at_once_all_find_their_end(web: Web, v1: Recorder, v2: Recorder) -> None:
    primary, _ = ask(web, v1, v2, b"/often")
    for _ in range(40):
        assert web.command("mirror.replay", "@" + primary["id"]) == "sent 1 shadow of 1 request"
    v2.take(40)
    web.wait_until(lambda: len(pair(web, "//often")) == 42)
    assert all(" · same · " in flow["comment"] for flow in pair(web, "//often")[1:])


def test_an_edited_request_is_sent_as_edited(web: Web, v1: Recorder, v2: Recorder) -> None:
    primary, _ = ask(web, v1, v2, b"/edited")
    change = {"request": {"content": "other body", "path": "//elsewhere", "headers": [["Host", "h"], ["X-A", "1"]]}}
    web.call("PUT", f"/flows/{primary['id']}", change)
    assert web.command("mirror.replay", "@" + primary["id"]) == "sent 1 shadow of 1 request, 1 of them as edited"
    sent = v2.one()
    assert (sent.target, sent.body, sent.value(b"host"), sent.value(b"x-a")) == (
        b"//elsewhere",
        b"other body",
        b"h-shadow",
        b"1",
    )


def test_what_is_not_sent_again_is_counted(web: Web, v1: Recorder, v2: Recorder) -> None:
    ask(web, v1, v2, b"/several")
    exchange(web.address, lines(b"GET http://%b/unrouted HTTP/1.1" % str(v1).encode(), b"Host: %b" % str(v1).encode()))
    v1.one()
    said = web.command("mirror.replay", "~u //several | ~u /unrouted")
    assert said == "sent 1 shadow of 1 request; 1 request left out: is not mirrored by the present rules"
    assert v2.one().target == b"//several"
    (unrouted,) = pair(web, "/unrouted")
    assert mirror_diff(web, unrouted)[0] == "Not mirrored: no rule claims it."


def test_a_file_keeps_the_pairing(confdir: Path, tmp_path: Path, v1: Recorder, v2: Recorder) -> None:
    path = tmp_path / "pairs.flows"
    v1.behave(answer(body=b"one"))
    v2.behave(answer(body=b"two"))
    with Proxy(confdir, "-w", str(path), *endpoints(v1, v2)) as proxy:
        sent = request(b"GET http://%b/serviceB/kept" % HOST, b"X-Forwarded-For: 192.0.2.7")
        exchange(proxy.address, sent)
        first = v2.one()
    v1.take()
    with Web(confdir, "-r", str(path), *endpoints(v1, v2)) as web:
        web.wait_until(lambda: len(pair(web, "//kept")) == 2)
        primary, shadow = pair(web, "//kept")
        assert " · 1 difference · " in shadow["comment"]
        told = mirror_diff(web, primary)
        assert mirror_diff(web, shadow) == told
        assert told[0] == "different · 1 difference"
        assert "-one" in told and "+two" in told
        assert "The decision is not saved in files, and not kept when the script is reloaded." in told
        assert web.command("mirror.replay", "@all") == "sent 1 shadow of 1 request"
        assert v2.one().head == first.head
        web.wait_until(lambda: len(pair(web, "//kept")) == 3)


def test_a_har_has_the_pairs(confdir: Path, tmp_path: Path, v1: Recorder, v2: Recorder) -> None:
    path = tmp_path / "pairs.har"
    with Proxy(confdir, "--set", f"hardump={path}", *endpoints(v1, v2)) as proxy:
        exchange(proxy.address, request(b"GET http://%b/serviceB/har" % HOST))
        assert v1.one().target == v2.one().target
    primary, shadow = json.loads(path.read_text())["log"]["entries"]
    assert shadow["comment"].startswith("shadow of ") and " · same · " in shadow["comment"]
    assert shadow["_mirror_of"] == primary["_mirror_id"]
    assert shadow["_mirror_verdict"] == "same"


def test_the_newest_pairs_are_kept(confdir: Path, v1: Recorder, v2: Recorder) -> None:
    with Web(confdir, "--set", "mirror_pairs=2", *endpoints(v1, v2)) as web:
        for number in range(4):
            exchange(web.address, request(b"GET http://%b/serviceB/%d" % (HOST, number)))
            v2.one()
            web.wait_until(lambda number=number: any(map(ghost, pair(web, f"//{number}"))))  # type: ignore[misc]
        v1.take(4)
        assert [len(pair(web, f"//{number}")) for number in range(4)] == [1, 1, 2, 2]
        assert pair(web, "//0")[0]["comment"].endswith(
            "serviceB/v2: removed to make room for newer ones (mirror_pairs)"
        )
