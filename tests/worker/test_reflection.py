"""Real servers with and without reflection, and one whose responses are hostile."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from grpc_reflection.v1alpha import reflection
from messagetools import descriptors

from mirror_addon.compare.messages.schema import Schema
from mirror_addon.compare.messages.wire import Budget
from mirror_addon.compare.messages.wire import read_fields
from mirror_addon.shadow.request import Target
from mirror_addon.worker import reflection as module
from mirror_addon.worker.reflection import ReflectionError
from mirror_addon.worker.reflection import reflect

Answering = Callable[[bytes], bytes]


@contextmanager
def server(handlers: dict[str, Answering] | None = None, *, reflects: bool = False) -> Iterator[Target]:
    """`handlers`: by the version of reflection, what is sent for a request."""
    made = grpc.server(futures.ThreadPoolExecutor(2))
    for version, answer in (handlers or {}).items():

        def info(requests: Iterator[bytes], _: Any, answer: Answering = answer) -> Iterator[bytes]:
            yield from map(answer, requests)

        method = {"ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(info)}
        name = f"grpc.reflection.{version}.ServerReflection"
        made.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, method),))
    if reflects:
        pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors()).file:
            pool.Add(file)
        reflection.enable_server_reflection(("shop.Shop", reflection.SERVICE_NAME), made, pool)
    port = made.add_insecure_port("127.0.0.1:0")
    made.start()
    try:
        yield Target("shop/v1", "127.0.0.1", port, True, "shop.test", None)
    finally:
        made.stop(0).wait()


def files(*some: descriptor_pb2.FileDescriptorProto) -> bytes:
    """A ServerReflectionResponse."""
    inner = b"".join(module._field(1, each.SerializeToString()) for each in some)
    return module._field(4, inner)


def asked(request: bytes) -> tuple[int, str]:
    (field,) = read_fields(request, Budget())
    return field.number, field.value.decode()


async def test_a_server_that_reflects() -> None:
    with server(reflects=True) as target:
        found = Schema(await reflect((target, b"shop.test", "shop.Shop")))
        assert found.method("/shop.Shop/Watch") is not None
        with pytest.raises(ReflectionError, match=r"not find|not found"):
            await reflect((target, b"shop.test", "shop.None"))


async def test_files_one_after_the_other_by_the_old_version() -> None:
    proto = descriptor_pb2.FileDescriptorProto
    known = {name: proto(name=name, dependency=needs) for name, needs in (("b", ["c"]), ("c", []), ("d", []))}
    seen = []

    def answer(request: bytes) -> bytes:
        number, name = asked(request)
        seen.append((number, name))
        return files(
            proto(name="a", dependency=["b", "d", "google/protobuf/any.proto"]) if number == 4 else known[name]
        )

    with server({"v1alpha": answer}) as target:
        found = descriptor_pb2.FileDescriptorSet.FromString(await reflect((target, b"h", "x.Y")))
    assert {each.name for each in found.file} == {"a", "b", "c", "d"}
    assert seen == [(4, "x.Y"), (3, "b"), (3, "d"), (3, "c")]


async def test_a_server_that_does_not_reflect() -> None:
    with server() as target, pytest.raises(ReflectionError, match="it has no reflection service"):
        await reflect((target, b"h", "x.Y"))
    with pytest.raises(ReflectionError, match="ConnectError"):
        await reflect((target, b"h", "x.Y"))


async def test_hostile_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    proto = descriptor_pb2.FileDescriptorProto
    endless = iter(range(10**6))
    for answer, message in (
        (lambda _: b"\x22\xff", "cannot be read"),
        (lambda _: module._field(4, module._field(1, b"\xff\xff")), "cannot be read"),
        (lambda _: module._field(7, module._field(2, b"go away")), "go away"),
        (lambda _: module._field(7, b""), "an error without a message"),
        (
            lambda _: files(proto(name=str(next(endless)), dependency=[str(next(endless) + 10**6)])),
            "not complete after",
        ),
        (lambda _: files(*(proto(name=name * 1_400_000) for name in "abc")), "more than 4194304 bytes"),
        (lambda _: files(*(proto(name=str(n)) for n in range(600))), "or 500 files"),
    ):
        with server({"v1": answer}) as target, pytest.raises(ReflectionError, match=message):
            await reflect((target, b"h", "x.Y"))
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    with server({"v1": lambda _: b"\0" * 3000}) as target, pytest.raises(ReflectionError, match="longer than 2000"):
        await reflect((target, b"h", "x.Y"))


async def test_a_call_that_is_refused() -> None:
    def refuse(_: bytes) -> bytes:
        raise ValueError

    with server({"v1": refuse}) as target, pytest.raises(ReflectionError, match="grpc-status 2"):
        await reflect((target, b"h", "x.Y"))
