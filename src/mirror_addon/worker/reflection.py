"""Ask a server for the types of its messages: gRPC server reflection, as a job in a child process.

https://github.com/grpc/grpc/blob/master/doc/server-reflection.md. The request is sent as a lane of the worker would
send it, with the TLS settings of the target.
"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator

import httpx
from google.protobuf import descriptor_pb2
from google.protobuf.message import DecodeError

from mirror_addon.compare.event_streams import StreamError
from mirror_addon.compare.messages.frames import read_frames
from mirror_addon.compare.messages.wire import LEN
from mirror_addon.compare.messages.wire import Budget
from mirror_addon.compare.messages.wire import WireError
from mirror_addon.compare.messages.wire import read_fields
from mirror_addon.processes.job import respond
from mirror_addon.shadow.request import Target
from mirror_addon.worker.transport import LaneTransport

MAX_BYTES = 4 * 1024 * 1024
"""Bytes of all descriptors of one service."""
_MAX_FILES = 500
_MAX_ROUNDS = 50
_VERSIONS = ("v1", "v1alpha")
_BY_NAME, _BY_SYMBOL = 3, 4
"""Numbers of fields of ServerReflectionRequest: file_by_filename, file_containing_symbol."""
_FILES, _ERROR = 4, 7
"""Of ServerReflectionResponse: file_descriptor_response, error_response."""


Question = tuple[Target, bytes, str]
"""Whom to ask, with which Host, and for which service, by its full name."""


class ReflectionError(Exception):
    """The server does not say. The text says why, as the end of a sentence."""


def main() -> None:
    """Run as the child process of `mirroring.reflected_types`: a pickled Question in, a FileDescriptorSet out."""
    respond(_answer)


def _answer(data: bytes) -> bytes:
    try:
        return asyncio.run(reflect(pickle.loads(data)))
    except ReflectionError as error:
        raise SystemExit(str(error)) from None


async def reflect(question: Question) -> bytes:
    """The types of the service as a serialised FileDescriptorSet. Raises ReflectionError."""
    transport = LaneTransport(question[0])
    try:
        for version in _VERSIONS:
            files = await _files(transport, question, version)
            if files is not None:
                return descriptor_pb2.FileDescriptorSet(file=files.values()).SerializeToString()
    except (OSError, StreamError, WireError, DecodeError) as error:
        raise ReflectionError(f"its answer cannot be read: {error}") from None
    except ReflectionError:
        raise
    except Exception as error:  # httpcore's, and h2's
        raise ReflectionError(f"{type(error).__name__}: {error}") from None
    finally:
        await transport.aclose()
    raise ReflectionError("it has no reflection service")


async def _files(
    transport: LaneTransport, question: Question, version: str
) -> dict[str, descriptor_pb2.FileDescriptorProto] | None:
    """The files of a service with all that they import; None if the server does not have this version of reflection."""
    files: dict[str, descriptor_pb2.FileDescriptorProto] = {}
    asked: set[str] = set()
    wanted = [(_BY_SYMBOL, question[2])]
    size = 0
    for _ in range(_MAX_ROUNDS):
        answers = await _exchange(transport, question, version, wanted)
        if answers is None:
            return None
        for data in answers:
            size += len(data)
            file = descriptor_pb2.FileDescriptorProto.FromString(data)
            files.setdefault(file.name, file)
        if size > MAX_BYTES or len(files) > _MAX_FILES:
            raise ReflectionError(f"its types take more than {MAX_BYTES} bytes or {_MAX_FILES} files")
        missing = {name for file in files.values() for name in file.dependency} - files.keys() - asked
        missing = {name for name in missing if not name.startswith("google/protobuf/")}
        if not missing:
            return files
        asked |= missing
        wanted = [(_BY_NAME, name) for name in sorted(missing)]
    raise ReflectionError(f"its types are not complete after {_MAX_ROUNDS} requests")


async def _exchange(
    transport: LaneTransport, question: Question, version: str, wanted: list[tuple[int, str]]
) -> list[bytes] | None:
    path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
    body = b"".join(_frame(_field(number, name.encode())) for number, name in wanted)
    request = httpx.Request(
        "POST",
        "http://reflection.invalid/",
        headers=[
            (b"host", question[1]),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
            (b"grpc-timeout", b"10S"),
            (b"content-length", b"%d" % len(body)),
        ],
        content=body,
        extensions={"target": path.encode()},
    )
    response = await transport.handle_async_request(request)
    received = bytearray()
    try:
        async for part in response.aiter_raw():
            received += part
            if len(received) > 2 * MAX_BYTES:
                raise ReflectionError(f"its answer is longer than {2 * MAX_BYTES} bytes")
    finally:
        await response.aclose()
    fields = [*response.headers.raw, *transport.trailers()]
    status = next((value for name, value in reversed(fields) if name.lower() == b"grpc-status"), b"")
    if response.status_code == 404 or status == b"12":  # UNIMPLEMENTED
        return None
    if response.status_code != 200 or status not in (b"", b"0"):
        message = next((value for name, value in reversed(fields) if name.lower() == b"grpc-message"), b"")
        raise ReflectionError(
            f"HTTP {response.status_code}, grpc-status {status.decode('latin-1')} {message.decode('latin-1')}".rstrip()
        )
    return [data for message in read_frames(bytes(received), "", False) for data in _descriptors(message)]


def _descriptors(message: bytes) -> Iterator[bytes]:
    """The files in a ServerReflectionResponse. Raises ReflectionError where it is an error."""
    budget = Budget()
    for number, wire, value in read_fields(message, budget):
        if wire == LEN and number == _ERROR:
            texts = [each.value for each in read_fields(value, budget) if each.number == 2 and each.wire == LEN]
            raise ReflectionError(texts[0].decode("utf-8", "replace") if texts else "an error without a message")
        if wire == LEN and number == _FILES:
            yield from (each.value for each in read_fields(value, budget) if each.number == 1 and each.wire == LEN)


def _field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | LEN]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _frame(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message
