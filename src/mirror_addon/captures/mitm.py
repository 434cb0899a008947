"""mitmproxy's file format, as `mitmdump -w` writes it: flows as tnetstrings."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator

from mitmproxy import exceptions
from mitmproxy.io import FlowReader

from mirror_addon.captures.entry import Entry
from mirror_addon.captures.entry import Unreadable
from mirror_addon.captures.stream import CaptureError
from mirror_addon.captures.stream import CaptureStream


def read_mitm(stream: CaptureStream, warn: Callable[[str], None]) -> Iterator[Entry | Unreadable]:
    """The flows of a dump.

    An incomplete flow at the end of the file is a warning: mitmdump was killed while it wrote. Anything unreadable
    before the end raises CaptureError.
    """
    reader = FlowReader(stream).stream()
    while True:
        start = stream.tell()
        try:
            flow = next(iter(reader), None)
        except (exceptions.FlowReadException, MemoryError) as error:
            if not isinstance(error, MemoryError) and not stream.peek(1) and start:
                warn(f"{stream.path}: the last flow, from byte {start} on, is incomplete; the flows before it are used")
                return
            raise CaptureError(_cannot_read(stream, start, error)) from None
        except CaptureError:
            raise
        except Exception as error:  # Flow.from_state raises what its fields happen to raise for values of a wrong type
            raise CaptureError(_cannot_read(stream, start, error)) from None
        if flow is None:
            return
        yield Entry(flow, stream.position)


def _cannot_read(stream: CaptureStream, start: int, error: BaseException) -> str:
    return f"{stream.path}: no mitmproxy flow at byte {start}: {error or type(error).__name__}"
