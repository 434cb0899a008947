"""rich's console, with the text of every renderable made printable before it is styled.

rich removes some control characters and not ESC, and it cannot encode a lone surrogate.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.console import ConsoleOptions
from rich.console import RenderableType
from rich.segment import Segment

from mirror_addon.display.text import encodable
from mirror_addon.display.text import printable_lines


class SafeConsole(Console):
    """Takes what Console takes."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Return the segments of a renderable. Those that are control codes are rich's own."""
        for segment in super().render(renderable, options):
            if segment.control or (segment.text.isascii() and segment.text.isprintable()):
                yield segment
            else:
                yield segment._replace(text=encodable(printable_lines(segment.text), self.encoding))
