from __future__ import annotations

import contextlib
import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.cli.listen_option import cannot_listen
from mirror_addon.cli.listen_option import parse_listen


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (":9002", ("127.0.0.1", 9002)),
        ("9002", ("127.0.0.1", 9002)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
        ("[::1]:80", ("::1", 80)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_addresses(text: str, where: tuple[str, int]) -> None:
    assert parse_listen(text) == where


@pytest.mark.parametrize("text", ["", ":", "a", "127.0.0.1", "::1:80", ":70000", ":-1", "http://a:1", "a b:1"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="ADDRESS:PORT"):
        parse_listen(text)


@given(st.text(max_size=20))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        host, port = parse_listen(text)
        assert host
        assert 0 <= port <= 65535


def test_an_address_that_is_taken() -> None:
    taken = OSError(errno.EADDRINUSE, "x")
    said = cannot_listen(taken, ("127.0.0.1", 90)).message
    assert said == "Cannot listen at 127.0.0.1:90: Address already in use; name another address with --listen"
    said = cannot_listen(OSError("no such host"), None, "--listen or --metrics").message
    assert said == "Cannot listen: no such host; name another address with --listen or --metrics"
