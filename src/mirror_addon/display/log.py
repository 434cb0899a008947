"""The log: a handler that makes the records of this package safe to show, before they come to mitmproxy's handlers.

mitmproxy's handlers are at the root logger, and get a record after those of the package's own logger. They print a
message as it is, and one that their stream cannot encode ends in a traceback. A record's message is a literal of this
program, and may have several lines; its arguments are data, and are printed on one line. An argument that is a text of
several lines of this program is a `Lines`.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Any

from mirror_addon.display.text import encodable
from mirror_addon.display.text import printable
from mirror_addon.display.text import printable_lines

PACKAGE = "mirror_addon"


class Lines(str):
    """A text whose line ends are this program's."""


class SafeLog(logging.Handler):
    """Prints nothing. It changes the records that it is given, which may be done again."""

    def emit(self, record: logging.LogRecord) -> None:
        encoding = getattr(sys.stdout, "encoding", None)  # mitmproxy's log is written to stdout
        record.msg = encodable(str(record.msg) if record.args else printable_lines(str(record.msg)), encoding)
        if isinstance(record.args, tuple):
            record.args = tuple(_safe(each, encoding) for each in record.args)
        if record.exc_info and not record.exc_text:
            trace = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            record.exc_text = encodable(printable_lines(trace), encoding)


def _safe(argument: Any, encoding: str | None) -> Any:
    if isinstance(argument, (int, float)):
        return argument
    if isinstance(argument, Lines):
        return Lines(encodable(printable_lines(argument), encoding))
    return encodable(printable(str(argument)), encoding)


def make_log_safe() -> None:
    """Let the records of this package go through a SafeLog from now on. Doing it again changes nothing.

    It stays when the addon is unloaded: it is at this package's logger only, and a reload of the script logs the end of
    the one before.
    """
    logger = logging.getLogger(PACKAGE)
    if not any(type(handler).__name__ == SafeLog.__name__ for handler in logger.handlers):  # perhaps before a reload
        logger.addHandler(SafeLog())
