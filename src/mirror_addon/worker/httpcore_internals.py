"""What the worker uses of httpcore beyond its documented interface, in one place.

`pyproject.toml` allows the versions of httpcore with which this was tested. Where another one is installed
nevertheless, `missing` reports at the worker's start what is not there, and each function documents what it does then.
"""

from __future__ import annotations

import h2.errors
import h2.events
import h11
import httpcore

from mirror_addon.worker import duplex
from mirror_addon.worker import http1


def missing() -> str:
    """Return a message for the log about what is not there; empty if everything is."""
    origin = httpcore.Origin(b"http", b"localhost", 80)
    outer = httpcore.AsyncHTTPConnection(origin, network_backend=httpcore.AsyncMockBackend([]))
    inner = httpcore.AsyncHTTP11Connection(origin, httpcore.AsyncMockStream([]))
    if not hasattr(outer, "_connection") or not all(
        hasattr(httpcore.AsyncHTTP2Connection, name) for name in duplex.OVERRIDDEN
    ):
        return (
            f"httpcore {httpcore.__version__} is not among the versions this was tested with, and parts of its HTTP/2 "
            "cannot be found: shadows over HTTP/2 may fail. Install a version of httpcore that mirror_addon requires."
        )
    if isinstance(getattr(inner, "_h11_state", None), h11.Connection) and all(
        hasattr(inner, name) for name in http1.OVERRIDDEN
    ):
        return ""
    return (
        f"httpcore {httpcore.__version__} is not among the versions this was tested with, and its HTTP/1.1 parser "
        "cannot be found: each shadow over HTTP/1.1 gets a connection of its own, which is slower. "
        "Install a version of httpcore that mirror_addon requires."
    )


def has_unread_bytes(connection: httpcore.AsyncHTTPConnection) -> bool:
    """Whether an idle HTTP/1.1 connection has received bytes after its last response.

    They would be read as the next response (response smuggling). They wait in the buffer of h11, which httpcore
    neither checks before it sends another request nor makes accessible.

    Where the buffer cannot be found the result is True, so that no connection is used twice: slower, and as safe.
    """
    # AsyncHTTPConnection._connection is an AsyncHTTP11Connection when it is connected; that has _h11_state.
    parser = getattr(getattr(connection, "_connection", None), "_h11_state", None)
    return not isinstance(parser, h11.Connection) or bool(parser.trailing_data[0])


def is_http2_reset(error: httpcore.RemoteProtocolError) -> bool:
    """Whether the mirror sent a RST_STREAM or GOAWAY frame in place of a response.

    In these cases httpcore raises the error with h2's event in place of a text (`AsyncHTTP2Connection`). If it did so
    no longer, these shadows would be counted as `protocol` and not as `reset`.
    """
    return bool(error.args) and not isinstance(error.args[0], (str, Exception))


def is_http2_end(error: Exception) -> bool:
    """Whether the mirror sent a GOAWAY frame: it closes the connection."""
    return isinstance(_event(error), h2.events.ConnectionTerminated)


def is_unprocessed(error: Exception) -> bool:
    """Whether an HTTP/2 mirror said that it has not processed the request (RFC 9113 8.7): by a GOAWAY frame whose last
    stream is an earlier one, or by a RST_STREAM frame with REFUSED_STREAM."""
    if isinstance(error, httpcore.ConnectionNotAvailable):
        return True
    event = _event(error)
    if isinstance(event, h2.events.ConnectionTerminated):
        return not event.last_stream_id  # httpcore compares only others, and raises ConnectionNotAvailable
    return isinstance(event, h2.events.StreamReset) and event.error_code is h2.errors.ErrorCodes.REFUSED_STREAM


def _event(error: Exception) -> object:
    """h2's event, which httpcore puts in place of an error's text."""
    return error.args[0] if isinstance(error, httpcore.RemoteProtocolError) and error.args else None
