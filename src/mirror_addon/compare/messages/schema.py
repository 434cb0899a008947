"""The types of messages, of a FileDescriptorSet: what `protoc --descriptor_set_out` writes, and servers reflect."""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any
from typing import NamedTuple

from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError

_KNOWN = ("any", "api", "duration", "empty", "field_mask", "source_context", "struct", "timestamp", "type", "wrappers")
_STATUS = "google/rpc/status.proto"


class Method(NamedTuple):
    """What a call returns. `streams`: any number of messages, else one."""

    output: Descriptor
    streams: bool


class Schema:
    """Finds types by name, and methods by the path of their calls.

    The types of google.protobuf and google.rpc.Status are always known, those of google.rpc's error details where
    googleapis-common-protos is installed.
    """

    def __init__(self, descriptors: bytes) -> None:
        """`descriptors`: a serialised FileDescriptorSet, or several after each other; of two files of one name the
        first is used. Raises ValueError if it is none."""
        self.problems: list[str] = []
        """Files that are left out, and why."""
        self._pool = descriptor_pool.DescriptorPool()
        try:
            given = descriptor_pb2.FileDescriptorSet.FromString(descriptors)
        except DecodeError as error:
            raise ValueError(f"not a descriptor set: {error}") from None
        files: dict[str, Any] = {}
        for file in given.file:
            files.setdefault(file.name, file)
        for file in _known_files():
            files.setdefault(file.name, file)
        self._add(files)

    def _add(self, files: dict[str, Any]) -> None:
        """Add files after those that they import."""
        while files:
            ready = [file for file in files.values() if not any(each in files for each in file.dependency)]
            for file in ready or list(files.values()):
                del files[file.name]
                try:
                    self._pool.Add(file)
                    self._pool.FindFileByName(file.name)
                except (TypeError, KeyError, ValueError) as error:
                    self.problems.append(f"{file.name}: {error}")

    def method(self, path: str) -> Method | None:
        """The method of a path that ends with `/package.Service/Method`; None if it is not known."""
        service, _, name = path.rpartition("/")
        try:
            found = self._pool.FindMethodByName(f"{service.rpartition('/')[2]}.{name}")
        except KeyError:
            return None
        return Method(found.output_type, found.server_streaming)

    def message(self, name: str) -> Descriptor | None:
        """The type of that full name; None if it is not known."""
        try:
            return self._pool.FindMessageTypeByName(name)
        except KeyError:
            return None

    def extension(self, message: Descriptor, number: int) -> Any:
        """The extension of a message with that number, or None."""
        if not message.is_extendable:
            return None
        try:
            return self._pool.FindExtensionByNumber(message, number)
        except KeyError:
            return None


@lru_cache(maxsize=4)
def schema_of(descriptors: bytes) -> Schema:
    """The schema of these descriptors, which is made once. An invalid set is an empty one."""
    try:
        return Schema(descriptors)
    except ValueError:
        return Schema(b"")


@lru_cache(maxsize=1)
def _known_files() -> tuple[Any, ...]:
    modules = [importlib.import_module(f"google.protobuf.{name}_pb2") for name in _KNOWN]
    files = [descriptor_pb2.FileDescriptorProto.FromString(each.DESCRIPTOR.serialized_pb) for each in modules]
    try:
        details = importlib.import_module("google.rpc.error_details_pb2")
        files.append(descriptor_pb2.FileDescriptorProto.FromString(details.DESCRIPTOR.serialized_pb))
    except ImportError:
        pass
    return (*files, _status_file())


def _status_file() -> Any:
    """google.rpc.Status, as in googleapis google/rpc/status.proto."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name=_STATUS, package="google.rpc", syntax="proto3", dependency=["google/protobuf/any.proto"]
    )
    message = file.message_type.add(name="Status")
    message.field.add(name="code", number=1, type=field.TYPE_INT32, label=field.LABEL_OPTIONAL)
    message.field.add(name="message", number=2, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    message.field.add(
        name="details", number=3, type=field.TYPE_MESSAGE, label=field.LABEL_REPEATED, type_name=".google.protobuf.Any"
    )
    return file
