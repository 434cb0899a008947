from __future__ import annotations

import logging

import pytest

from mirror_addon.mirroring.sandbox_advice import SandboxAdvice
from mirror_addon.mirroring.sandbox_advice import unknown_ports
from mirror_addon.sandbox.call import CallRequest

CALL = CallRequest(b"POST", b"http", b"pay.test", b"/charges", b"token=secret")


def test_each_is_said_once_with_the_cure(caplog: pytest.LogCaptureFixture) -> None:
    advice = SandboxAdvice()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            advice.request_without_id()
            advice.call_without_request(CALL, ())
            advice.call_without_request(CALL, (b"id",))
            advice.nothing_of_primary()
            advice.not_kept("streamed", "it was streamed", CALL)
            advice.not_kept("memory", "there was no room for it", None)
            advice.fault("request", ValueError("x"))
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 7
    assert "Set mirror_request_id=true" in said[0]
    assert "the mirror's call POST http://pay.test/charges has neither x-request-id nor traceparent" in said[1]
    assert "forward x-request-id or traceparent" in said[1]
    assert "forward the id that it got" in said[2]
    assert "set HTTP_PROXY of the primary to another listener" in said[3]
    assert "sandbox.not_kept.streamed counts these" in said[4]
    assert "secret" not in "".join(said)
    assert "fault in the sandbox, in request: ValueError: x" in said[6]


def test_that_the_primarys_calls_are_missing_is_not_said_where_some_were_seen(caplog: pytest.LogCaptureFixture) -> None:
    advice = SandboxAdvice()
    advice.calls_of_primary = True
    advice.nothing_of_primary()
    assert not caplog.records


@pytest.mark.parametrize(
    ("ports", "listening", "problem"),
    [
        ((), [8080], ""),
        ((8089,), [8080, 8089], ""),
        ((8089, 8090), [8080], "mirror_sandbox=8089,8090: the proxy does not listen there; start it with --mode "
                               "regular@8089 --mode regular@8090 as well"),
        ((8089,), [8089], "mirror_sandbox has all ports at which the proxy listens"),
    ],
)  # fmt: skip
def test_ports(ports: tuple[int, ...], listening: list[int], problem: str) -> None:
    found = unknown_ports(ports, listening)
    assert found.startswith(problem) and bool(found) is bool(problem)
