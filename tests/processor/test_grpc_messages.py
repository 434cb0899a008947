from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.processor import grpc_messages
from mirror_addon.processor.grpc_messages import MAX_MESSAGE
from mirror_addon.processor.grpc_messages import MessageReader
from mirror_addon.processor.grpc_messages import Waiting
from mirror_addon.processor.grpc_messages import write_message
from mirror_addon.processor.grpc_status import CallEnded
from mirror_addon.processor.grpc_status import Status


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=40), max_size=6), st.lists(st.integers(0, 12), max_size=60))
def test_messages_come_as_they_were_sent(messages: list[bytes], cuts: list[int]) -> None:
    """However they are cut into frames."""
    waiting = Waiting()
    reader = MessageReader(waiting)
    left, found = b"".join(map(write_message, messages)), []
    for cut in cuts:
        found += reader.feed(left[:cut])
        left = left[cut:]
        assert reader.incomplete == bool(waiting.bytes)
    found += reader.feed(left)
    assert found == messages
    assert not reader.incomplete
    assert waiting.bytes == 0


def test_a_message_in_parts_is_no_message_yet() -> None:
    waiting = Waiting()
    reader = MessageReader(waiting)
    for byte in write_message(b"abc")[:-1]:
        assert list(reader.feed(bytes((byte,)))) == []
    assert (reader.incomplete, waiting.bytes) == (True, 7)
    reader.drop()
    reader.drop()
    assert (reader.incomplete, waiting.bytes) == (False, 0)


def test_compressed_messages_are_refused() -> None:
    found = iter(MessageReader(Waiting()).feed(write_message(b"a") + b"\x01\0\0\0\x01x"))
    assert next(found) == b"a"
    with pytest.raises(CallEnded, match="compressed") as raised:
        next(found)
    assert raised.value.status is Status.UNIMPLEMENTED


def test_long_messages_are_refused() -> None:
    prefix = b"\0" + (MAX_MESSAGE + 1).to_bytes(4, "big")
    with pytest.raises(CallEnded, match="more than") as raised:
        list(MessageReader(Waiting()).feed(prefix))
    assert raised.value.status is Status.RESOURCE_EXHAUSTED
    assert list(MessageReader(Waiting()).feed(prefix[:4])) == []


def test_what_waits_is_bounded_over_all_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_messages, "MAX_WAITING", 100)
    waiting = Waiting()
    first, second = MessageReader(waiting), MessageReader(waiting)
    assert list(first.feed(write_message(bytes(1000))[:80])) == []
    with pytest.raises(CallEnded, match="under way") as raised:
        list(second.feed(write_message(bytes(1000))[:80]))
    assert raised.value.status is Status.RESOURCE_EXHAUSTED
    second.drop()
    assert waiting.bytes == 80
