"""How a call of gRPC ended: the fields grpc-message and grpc-status-details-bin, by what they say."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import unquote

from mirror_addon.compare.differences import Differences
from mirror_addon.compare.fields import compare_values
from mirror_addon.compare.headers import Headers
from mirror_addon.compare.headers import values_of
from mirror_addon.compare.json_comparison import JsonComparison
from mirror_addon.compare.messages.untyped import reconcile
from mirror_addon.compare.messages.wire import Budget
from mirror_addon.compare.messages.wire import WireError

MESSAGE = "grpc-message"
DETAILS = "grpc-status-details-bin"
_LONGEST = 64 * 1024
_G = frozenset((b"g", b"G"))


def message_text(value: str) -> str:
    """The value of grpc-message without percent-encoding. Escapes that are none stay, as the specification asks."""
    return unquote(value, errors="replace")


def binary_value(value: str) -> bytes | None:
    """The bytes of a field whose name ends with -bin: Base64 with or without padding. None if it is none."""
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except binascii.Error:
        return None


def compare_status(
    differences: Differences, primary: Headers, shadow: Headers, descriptors: bytes
) -> tuple[Headers, Headers]:
    """Compare the fields that say how a call of gRPC ended by what they say. Return the other fields of both sides."""
    if not (_is_of_grpc(primary) or _is_of_grpc(shadow)):
        return primary, shadow
    done = {MESSAGE.encode()}
    text, other_text = (list(map(message_text, values_of(each, MESSAGE.encode()))) for each in (primary, shadow))
    compare_values(differences, differences.place(f"header:{MESSAGE}"), text, other_text)
    details, others = (values_of(each, DETAILS.encode()) for each in (primary, shadow))
    if len(details) == len(others) == 1 and compare_details(differences, details[0], others[0], descriptors):
        done.add(DETAILS.encode())
    one, other = (
        tuple(
            (name, value.rstrip(b"= ") if name[-4:].lower() == b"-bin" else value)
            for name, value in each
            if name.lower() not in done
        )
        for each in (primary, shadow)
    )
    return one, other


def _is_of_grpc(headers: Headers) -> bool:
    """Whether a field has a name of gRPC's. Asked of every response."""
    for name, _ in headers:  # noqa: SIM110 - a generator takes twice as long, for a dozen fields
        if name[:1] in _G and name[:5].lower() == b"grpc-":
            return True
    return False


def compare_details(differences: Differences, primary: str, shadow: str, descriptors: bytes) -> bool:
    """Compare two google.rpc.Status by field. Return whether both could be read."""
    status, other = _status(primary, descriptors), _status(shadow, descriptors)
    if status is None or other is None:
        return False
    reconcile(status, other)
    root = f"header:{DETAILS}"
    JsonComparison(differences, False, root).run(status, other, differences.place(root))
    return True


def _status(value: str, descriptors: bytes) -> Any:
    from mirror_addon.compare.messages.schema import schema_of  # imports google.protobuf, and few calls have details
    from mirror_addon.compare.messages.typed import read_message

    data = binary_value(value) if len(value) <= _LONGEST else None
    schema = schema_of(descriptors)
    try:
        return None if data is None else read_message(data, schema.message("google.rpc.Status"), schema, Budget())
    except WireError:
        return None
