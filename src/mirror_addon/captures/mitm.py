"""mitmproxy's own file format, as `mitmdump -w` writes it."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator

from mitmproxy import exceptions
from mitmproxy.io import FlowReader

from mirror_addon.captures.entry import Entry
from mirror_addon.captures.stream import CaptureError
from mirror_addon.captures.stream import CaptureStream


def read_mitm(stream: CaptureStream, warn: Callable[[str], None]) -> Iterator[Entry]:
    reader = FlowReader(stream).stream()
    while True:
        start = stream.tell()
        try:
            flow = next(iter(reader), None)
        except (exceptions.FlowReadException, MemoryError) as error:
            if not isinstance(error, MemoryError) and not stream.peek(1) and start:
                warn(f"{stream.path}: the last flow, from byte {start} on, is torn; what came before it is used")
                return
            raise CaptureError(_cannot_read(stream, start, error)) from None
        except CaptureError:
            raise
        except Exception as error:  # whatever mitmproxy's flows raise for a state that is none
            raise CaptureError(_cannot_read(stream, start, error)) from None
        if flow is None:
            return
        yield Entry(flow, stream.position)


def _cannot_read(stream: CaptureStream, start: int, error: BaseException) -> str:
    return f"{stream.path}: no flow of mitmproxy at byte {start}: {error or type(error).__name__}"
