"""The record of a proxy that is ended under load, and of one that leaves secrets out."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

from livetools.client import Client
from livetools.proxy import Proxy
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.wire import lines
from livetools.worked_example import HOST
from livetools.worked_example import endpoints

CARD = b"4111111111111111"


def test_every_shadow_has_a_whole_line_or_is_counted(
    confdir: Path, tmp_path: Path, upstreams: tuple[Recorder, Recorder], v1: Recorder, v2: Recorder
) -> None:
    """Two workers write to one file while the proxy is ended, with requests on their way."""
    record = tmp_path / "record.jsonl"
    options = ("--set", f"mirror_record={record}", "--set", "mirror_workers=2", "--set", "mirror_drain=50ms")
    started, stop = threading.Barrier(5), threading.Event()
    request = lines(b"GET http://%b/serviceB/x HTTP/1.1" % HOST, b"Host: " + HOST)

    def load(proxy: Proxy) -> None:
        with Client(proxy.address) as client:
            for number in range(100_000):
                if number == 20:
                    started.wait()
                try:
                    client.exchange(request)
                except (OSError, AssertionError):  # the proxy ends
                    return
                if stop.is_set():
                    return

    with Proxy(confdir, *endpoints(*upstreams), *options) as proxy:
        threads = [threading.Thread(target=load, args=(proxy,), daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        started.wait()
        proxy.interrupt()
        for thread in threads:
            thread.join()
    text = record.read_bytes()
    assert text.endswith(b"\n")
    ids = [json.loads(line)["id"] for line in text.splitlines()]
    assert len(set(ids)) == len(ids)
    missing = re.search(r"mirror: (\d+) shadows have no line in the record", proxy.output)
    offered = int(re.findall(r"^offered (\d+)$", proxy.output, re.MULTILINE)[-1])
    assert offered >= 80
    assert offered == len(ids) + (int(missing[1]) if missing else 0)


def test_what_is_redacted_is_in_no_file_and_on_no_page(
    confdir: Path, tmp_path: Path, upstreams: tuple[Recorder, Recorder], v1: Recorder, v2: Recorder
) -> None:
    record = tmp_path / "record.jsonl"
    json_type = b"Content-Type: application/json"
    v1.behave(answer(b"200 OK", json_type, body=b'{"pin": "pin-one", "card": %b, "a": 1}' % CARD))
    v2.behave(answer(b"200 OK", json_type, body=b'{"pin": "pin-two", "card": %b, "a": 2}' % CARD))
    redact = "mirror_redact=Authorization,$..pin,form:pass,query:token"
    options = ("--set", f"mirror_record={record}", "--set", "mirror_record_bodies=true", "--set", redact)
    body = b"pass=form-secret&x=1"
    head = lines(
        b"POST http://%b/serviceB/x?token=query-secret HTTP/1.1" % HOST,
        b"Host: " + HOST,
        b"Authorization: head-secret",
        b"Content-Type: application/x-www-form-urlencoded",
        b"Content-Length: %d" % len(body),
    )
    with Proxy(confdir, *endpoints(*upstreams), *options) as proxy:
        with Client(proxy.address) as client:
            response = client.exchange(head + body)
        assert CARD in response.body and b"pin-one" in response.body, "the traffic is not changed"
        assert v2.one().body == body
        proxy.wait_for(r"mirror: first shadow of")
    text = record.read_bytes()
    for secret in (b"pin-one", b"pin-two", CARD, b"form-secret", b"query-secret", b"head-secret"):
        assert secret not in text, secret
        logged = [each for each in proxy.output.splitlines() if "mirror: " in each]
        assert secret.decode() not in "".join(logged), secret
    (line,) = map(json.loads, text.splitlines())
    assert line["verdict"] == "different"
    found = {each["path"]: each for each in line["differences"]}
    assert found["$.a"]["primary"] == 1
    assert found["$.pin"]["primary"] != found["$.pin"]["shadow"]
    assert found["$.pin"]["primary"].startswith("<redacted ")
    primary, shadow = (json.loads(line[side]["body"]) for side in ("primary", "shadow"))
    assert primary["card"] == shadow["card"], "equal values have equal placeholders"
    assert primary["pin"] == found["$.pin"]["primary"]
    assert "x=1" in line["request"]["body"]
