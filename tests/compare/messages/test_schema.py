from __future__ import annotations

import importlib
from typing import Any

import pytest
from google.protobuf import descriptor_pb2
from messagetools import descriptors

from mirror_addon.compare.messages import schema as module
from mirror_addon.compare.messages.schema import Schema
from mirror_addon.compare.messages.schema import schema_of


def test_methods_and_messages() -> None:
    found = Schema(descriptors())
    assert found.problems == []
    watch, get = found.method("/shop.Shop/Watch"), found.method("/prefix/shop.Shop/Get")
    assert watch is not None and watch.streams and watch.output.full_name == "shop.Order"
    assert get is not None and not get.streams
    assert (found.method("/shop.Shop/None"), found.method(""), found.message("x.Y")) == (None, None, None)


def test_what_is_always_known() -> None:
    empty = Schema(b"")
    for name in ("google.rpc.Status", "google.protobuf.Timestamp", "google.rpc.BadRequest"):
        assert empty.message(name) is not None


def test_without_the_common_types(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def import_module(name: str) -> Any:
        if name.startswith("google.rpc"):
            raise ImportError(name)
        return real(name)

    monkeypatch.setattr(module.importlib, "import_module", import_module)
    module._known_files.cache_clear()
    try:
        empty = Schema(b"")
        assert empty.message("google.rpc.Status") is not None and empty.message("google.rpc.BadRequest") is None
    finally:
        module._known_files.cache_clear()


def test_files_in_any_order_twice_and_without_what_they_import() -> None:
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptors())
    files.file.sort(key=lambda each: each.name, reverse=True)
    data = files.SerializeToString()
    assert Schema(data + data).problems == []
    for each in list(files.file):
        if each.name.startswith("google/"):
            files.file.remove(each)
    assert Schema(files.SerializeToString()).message("shop.Order") is not None, "google's own need not be there"
    lonely = descriptor_pb2.FileDescriptorSet()
    lonely.file.add(name="a.proto", dependency=["gone.proto"])
    assert "a.proto: " in Schema(lonely.SerializeToString()).problems[0]
    circle = descriptor_pb2.FileDescriptorSet()
    circle.file.add(name="a.proto", dependency=["b.proto"])
    circle.file.add(name="b.proto", dependency=["a.proto"])
    assert len(Schema(circle.SerializeToString()).problems) == 2


def test_what_is_none() -> None:
    with pytest.raises(ValueError, match="not a descriptor set"):
        Schema(b"\xff\xff")
    assert schema_of(b"\xff\xff").message("google.rpc.Status") is not None
    assert schema_of(b"") is schema_of(b"")


def test_extensions() -> None:
    found = Schema(descriptors())
    reply, order = found.message("old.Reply"), found.message("shop.Order")
    assert reply is not None and order is not None
    assert found.extension(reply, 100).full_name == "old.more"
    assert (found.extension(reply, 101), found.extension(order, 100)) == (None, None)
