"""Requests through the gateway, to a real app in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from flask import Flask
from flask import request
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.live_page.gateway import Gateway
from mirror_addon.live_page.gateway import PageRequest

main_thread = threading.get_ident()


def make_app() -> Flask:
    app = Flask("echo")

    @app.route("/<path:path>", methods=["GET", "POST"])
    def echo(path: str) -> dict[str, object]:
        return {
            "path": path,
            "query": request.args.to_dict(flat=False),
            "form": request.form.to_dict(),
            "host": request.host,
            "peer": request.remote_addr,
            "accept": request.headers.get("Accept"),
            "elsewhere": threading.get_ident() != main_thread,
        }

    return app


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    made = Gateway(make_app)
    yield made
    made.close()


async def test_a_request_arrives_as_it_was(gateway: Gateway) -> None:
    reply = await gateway.ask(
        PageRequest(
            method="POST",
            target=b"/a%20b/c?x=1&x=2",
            host="mirror-addon.test:81",
            peer="127.0.0.1",
            headers=[
                ("accept", "text/html"),
                ("Accept", "text/plain"),
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("Content-Length", "999"),
                ("Transfer-Encoding", "chunked"),
            ],
            body=b"token=x",
        )
    )
    assert reply.status_code == 200
    assert reply.get_json() == {
        "path": "a b/c",
        "query": {"x": ["1", "2"]},
        "form": {"token": "x"},
        "host": "mirror-addon.test:81",
        "peer": "127.0.0.1",
        "accept": "text/html,text/plain",
        "elsewhere": True,
    }


@given(
    target=st.binary(),
    headers=st.lists(st.tuples(st.text(st.characters(max_codepoint=255)), st.text(st.characters(max_codepoint=255)))),
)
def test_any_bytes_get_an_answer(target: bytes, headers: list[tuple[str, str]]) -> None:
    async def ask() -> int:
        gateway = Gateway(make_app)
        try:
            asked = PageRequest("GET", b"/" + target, "localhost", "127.0.0.1", headers)
            return (await gateway.ask(asked)).status_code
        finally:
            gateway.close()

    assert asyncio.run(ask()) < 500


async def test_an_app_that_fails_answers_500(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    def make() -> Flask:
        app = Flask("broken")

        @app.get("/")
        def fail() -> str:
            raise RuntimeError("broken")

        return app

    broken = Gateway(make)
    assert (await broken.ask(PageRequest("GET", b"/", "localhost", "127.0.0.1", []))).status_code == 500
    assert "broken" in caplog.text
    broken.close()
