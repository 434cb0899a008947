"""Types of messages for tests, messages of them, and what a comparison finds."""

from __future__ import annotations

import functools
import struct
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.rules import Rules

SHOP = """
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/any.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/wrappers.proto";

enum State { UNKNOWN = 0; OPEN = 1; SHIPPED = 2; }
message Item { string sku = 1; double price = 2; float weight = 3; }
message Order {
  int64 id = 1;
  repeated Item items = 2;
  map<string, int32> stock = 3;
  State state = 4;
  google.protobuf.Timestamp created = 5;
  repeated sint32 deltas = 6;
  oneof paid { string card = 7; bool cash = 8; Item barter = 9; }
  optional int32 count = 10;
  google.protobuf.Any extra = 11;
  bytes raw = 12;
  google.protobuf.Duration took = 13;
  google.protobuf.Struct free = 14;
  google.protobuf.StringValue note = 15;
  uint64 big = 16;
  fixed32 f32 = 17;
  sfixed64 sf64 = 18;
  map<int32, Item> by_number = 19;
  repeated State states = 20;
  int32 small = 21;
  Order parent = 22;
  bool flag = 23;
}
message Old { int64 id = 1; }
service Shop {
  rpc Get(Old) returns (Order);
  rpc Watch(Old) returns (stream Order);
}
"""
OLD = """
syntax = "proto2";
package old;
message Reply {
  required int32 id = 1;
  optional string name = 2 [default = "none"];
  repeated int32 numbers = 3;
  optional group Inner = 4 { optional int32 a = 1; }
  enum Kind { A = 1; B = 2; }
  optional Kind kind = 5;
  extensions 100 to 200;
}
extend Reply { optional string more = 100; }
"""
GET, WATCH = "http://h/shop.Shop/Get", "http://h/shop.Shop/Watch"


@functools.cache
def descriptors() -> bytes:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "shop.proto").write_text(SHOP)
        (folder / "old.proto").write_text(OLD)
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", "--include_imports"]
        command += [f"--descriptor_set_out={folder / 'set'}", "shop.proto", "old.proto"]
        subprocess.run(command, check=True)
        return (folder / "set").read_bytes()


@functools.cache
def kind(name: str) -> Any:
    """The class of a message, as google.protobuf makes it."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors()).file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def order(**fields: Any) -> Any:
    return kind("shop.Order")(**fields)


def frame(message: Any, flags: int = 0) -> bytes:
    data = message if isinstance(message, bytes) else message.SerializeToString()
    return struct.pack(">BI", flags, len(data)) + data


def grpc(*messages: Any, fields: tuple[tuple[bytes, bytes], ...] = ((b"grpc-status", b"0"),), **more: Any) -> Answer:
    body = b"".join(map(frame, messages))
    return Answer(200, ((b"content-type", b"application/grpc"), *fields), body, len(body), **more)


def compared(one: Answer, other: Answer, url: str = GET, rules: str = "", **more: Any) -> Comparison:
    judged = Rules.parse(rules, "compare.yaml") if rules else Rules()
    judged = replace(judged, descriptors=more.pop("descriptors", descriptors()))
    return compare(one, other, judged, method="POST", url=url, **more)


def told(comparison: Comparison) -> list[tuple[str, str, str]]:
    return [(each.path, each.kind, each.noise) for each in comparison.differences]
