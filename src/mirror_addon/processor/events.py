"""What Envoy tells of an exchange, one value for each message of the stream. Bytes are as Envoy has them.

The messages are those of `envoy/service/ext_proc/v3/external_processor.proto`. `messages` reads them from the wire;
nothing else in this room knows protobuf.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mirror_addon.routing.fields import Fields

ROUTE_NAME = "xds.route_name"
CLUSTER_NAME = "xds.cluster_name"
PROTOCOL = "request.protocol"
CLIENT = "source.address"
CODE_DETAILS = "response.code_details"
"""Names of the attributes that are used: those of Envoy's documentation ("Attributes")."""


class Head(NamedTuple):
    """The header fields of a message, pseudo-header fields among them. Names are in lower case."""

    request: bool
    """Of the request; else of the response."""
    fields: Fields
    end: bool
    """The message has no body and no trailers."""
    attributes: Mapping[str, str] = {}


class Body(NamedTuple):
    """A part of a body, as Envoy read it: up to 1 MiB, and empty where only the end is told."""

    request: bool
    data: bytes
    end: bool


class Trailers(NamedTuple):
    """They are the end of a message: Envoy sends no other."""

    request: bool
    fields: Fields


Message = Head | Body | Trailers
