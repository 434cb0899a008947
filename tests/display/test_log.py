"""Records of this package, as handlers at the root logger get them."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from mirror_addon.display.log import Lines
from mirror_addon.display.log import make_log_safe

HOSTILE = "\x1b[2J\r\nmirror: all is well\x85\u202e\udcff"
SHOWN = "\\x1b[2J\\r\\nmirror: all is well\\x85\\u202e\\udcff"

logger = logging.getLogger("mirror_addon.somewhere.deep")


@pytest.fixture(autouse=True)
def safe(caplog: pytest.LogCaptureFixture) -> None:
    make_log_safe()
    make_log_safe()
    caplog.set_level(logging.INFO)


def test_an_argument_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    logger.warning("mirror: %s at %d, %.1f s: %s", HOSTILE, 3, 0.25, ValueError(HOSTILE))
    assert caplog.messages == [f"mirror: {SHOWN} at 3, 0.2 s: {SHOWN}"]


def test_lines_are_this_programs(caplog: pytest.LogCaptureFixture) -> None:
    logger.info("mirror: at the end\n%s", Lines("a 1\nb\x1b 2"))
    assert caplog.messages == ["mirror: at the end\na 1\nb\\x1b 2"]


def test_a_message_without_arguments(caplog: pytest.LogCaptureFixture) -> None:
    logger.info("100 % \x1b")
    assert caplog.messages == ["100 % \\x1b"]


def test_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        logger.warning("mirror: failed", exc_info=True)
    assert "ValueError: \\x1b[2J\\r\nmirror" in caplog.text
    assert "\x1b" not in caplog.text and "\udcff" not in caplog.text


def test_what_the_stream_cannot_encode(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))
    logger.warning("mirror: é %s %s", "漢", Lines("ü\nx"))
    assert caplog.messages == ["mirror: \\xe9 \\u6f22 \\xfc\nx"]


def test_other_loggers_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("mitmproxy.x").warning("%s", "\x1b")  # no surrogate: pytest passes captured text on as UTF-8
    assert caplog.messages == ["\x1b"]
