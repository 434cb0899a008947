"""The messages of `ext_proc` and of gRPC's health checks on the wire.

The types are built here, with the fields that are read and their numbers: Envoy's .proto files import two hundred
others, and packages with their compiled form put thousands of modules into top-level names. What is not declared is
skipped, as protobuf does with unknown fields. Texts are declared as bytes, because a header field may hold any.

Sources: `envoy/service/ext_proc/v3/external_processor.proto`, `envoy/config/core/v3/base.proto` (HeaderMap,
HeaderValue), `google/protobuf/struct.proto`, `grpc/health/v1/health.proto`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory
from google.protobuf.message import DecodeError

from mirror_addon.processor.events import Body
from mirror_addon.processor.events import Head
from mirror_addon.processor.events import Message
from mirror_addon.processor.events import Trailers
from mirror_addon.routing.fields import Fields

PROCESS = ("envoy.service.ext_proc.v3.ExternalProcessor", "Process")
"""The service and its method: a stream of ProcessingRequest to the processor, one of ProcessingResponse back."""
_FILTER = "envoy.filters.http.ext_proc"
"""The key of the attributes, whatever the filter is called in the configuration."""
_PACKAGE = "mirror_addon.processor"

_FIELDS: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "ProcessingRequest": {
        "request_headers": (2, "HttpHeaders"),
        "response_headers": (3, "HttpHeaders"),
        "request_body": (4, "HttpBody"),
        "response_body": (5, "HttpBody"),
        "request_trailers": (6, "HttpTrailers"),
        "response_trailers": (7, "HttpTrailers"),
        "attributes": (9, "repeated Attributes"),
    },
    "HttpHeaders": {"headers": (1, "HeaderMap"), "end_of_stream": (3, "bool")},
    "HttpBody": {"body": (1, "bytes"), "end_of_stream": (2, "bool")},
    "HttpTrailers": {"trailers": (1, "HeaderMap")},
    "HeaderMap": {"headers": (1, "repeated HeaderValue")},
    "HeaderValue": {"key": (1, "bytes"), "value": (2, "bytes"), "raw_value": (3, "bytes")},
    # A map is a list of entries on the wire.
    "Attributes": {"key": (1, "bytes"), "value": (2, "Struct")},
    "Struct": {"fields": (1, "repeated StructEntry")},
    "StructEntry": {"key": (1, "bytes"), "value": (2, "Value")},
    "Value": {"number_value": (2, "double"), "string_value": (3, "bytes"), "bool_value": (4, "bool")},
    "HealthCheckRequest": {"service": (1, "bytes")},
    "HealthCheckResponse": {"status": (1, "int32")},
}
_SCALARS = {
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
}


class MessageError(ValueError):
    """Bytes that are no ProcessingRequest, or one that says nothing this program knows."""


def _types() -> dict[str, Any]:
    """Return the message classes by name, in a pool of their own."""
    field_type = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="mirror_addon/processor.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            repeated, _, plain = kind.rpartition(" ")
            made = message.field.add(name=field, number=number)
            made.label = field_type.LABEL_REPEATED if repeated else field_type.LABEL_OPTIONAL
            if plain in _SCALARS:
                made.type = _SCALARS[plain]
            else:
                made.type, made.type_name = field_type.TYPE_MESSAGE, f".{_PACKAGE}.{plain}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _FIELDS}


TYPES = _types()
_REQUEST = TYPES["ProcessingRequest"]
_HEALTH_REQUEST = TYPES["HealthCheckRequest"]
_HEALTH_RESPONSE = TYPES["HealthCheckResponse"]


def read_message(data: bytes) -> Message:
    """Return the event that a ProcessingRequest tells. Raises MessageError."""
    try:
        message = _REQUEST.FromString(data)
    except DecodeError as error:
        raise MessageError(str(error)) from None
    # Bodies first: there are most of them. The last one of several wins, as in a `oneof`; Envoy sends one.
    if message.HasField("request_body"):
        return Body(True, message.request_body.body, message.request_body.end_of_stream)
    if message.HasField("response_body"):
        return Body(False, message.response_body.body, message.response_body.end_of_stream)
    if message.HasField("request_headers"):
        return _head(True, message.request_headers, message)
    if message.HasField("response_headers"):
        return _head(False, message.response_headers, message)
    if message.HasField("request_trailers"):
        return Trailers(True, _fields(message.request_trailers.trailers))
    if message.HasField("response_trailers"):
        return Trailers(False, _fields(message.response_trailers.trailers))
    raise MessageError("a message without a part of a request or response")


def _head(request: bool, headers: Any, message: Any) -> Head:
    return Head(request, _fields(headers.headers), headers.end_of_stream, _attributes(message))


def _fields(headers: Any) -> Fields:
    # Envoy writes `raw_value`; a processor's test client may write `value`.
    return tuple([(field.key, field.raw_value or field.value) for field in headers.headers])


def _attributes(message: Any) -> dict[str, str]:
    found = {}
    for entry in message.attributes:
        for field in entry.value.fields:
            value = field.value
            text = value.string_value.decode("utf-8", "replace")
            if not text and value.number_value:
                text = f"{value.number_value:g}"
            found[field.key.decode("utf-8", "replace")] = text
    return found


def health_response(status: int) -> bytes:
    """Return a HealthCheckResponse: 1 is SERVING, 2 NOT_SERVING, 3 SERVICE_UNKNOWN."""
    written: bytes = _HEALTH_RESPONSE(status=status).SerializeToString()
    return written


def health_service(data: bytes) -> str:
    """Return the service that a HealthCheckRequest names; empty for the whole server. Raises MessageError."""
    try:
        service: bytes = _HEALTH_REQUEST.FromString(data).service
    except DecodeError as error:
        raise MessageError(str(error)) from None
    return service.decode("utf-8", "replace")
