from __future__ import annotations

import pytest
from capturetools import Folder
from capturetools import dump
from capturetools import exchange


@pytest.mark.parametrize(("body", "response", "size"), [(b"", b"", 0), (b"abc", b"", 3), (b"abc", b"defgh", 8)])
def test_the_size_is_that_of_both_bodies(folder: Folder, body: bytes, response: bytes, size: int) -> None:
    assert folder.one(dump(exchange(b"POST", body=body, answer=response))).size == size


def test_bodies_that_are_not_there_have_no_size(folder: Folder) -> None:
    failed = exchange(body=b"abc")
    failed.response = None
    unkept = exchange(body=b"abc")
    assert unkept.response is not None
    unkept.response.content = None
    assert [folder.one(dump(flow)).size for flow in (failed, unkept)] == [3, 3]
