"""`mirror-addon/when`: mitmproxy's filter expressions, asked as early as their answer is certain."""

from __future__ import annotations

import functools
import logging
import re
from typing import Any

from mitmproxy import flowfilter
from mitmproxy import http

logger = logging.getLogger(__name__)

_OF_REQUEST: tuple[type, ...] = (
    flowfilter.FAll,
    flowfilter.FComment,
    flowfilter.FContentTypeRequest,
    flowfilter.FDNS,
    flowfilter.FDomain,
    flowfilter.FHTTP,
    flowfilter.FHeadRequest,
    flowfilter.FMarked,
    flowfilter.FMarker,
    flowfilter.FMeta,
    flowfilter.FMethod,
    flowfilter.FReplayClient,
    flowfilter.FSrc,
    flowfilter.FTCP,
    flowfilter.FUDP,
    flowfilter.FUrl,
    flowfilter.FWebSocket,
)
"""What is known when the request is complete. All else may change until the response is."""
_OF_EITHER: tuple[type, ...] = (flowfilter.FHead, flowfilter.FContentType, flowfilter.FBod)
"""Hold for ever once the request alone meets them."""
DEEPEST = 4
"""Levels of brackets: each makes mitmproxy's parser several times slower, ten of them take it hours."""
_QUOTED = re.compile(r"""\"(?:[^"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'""")


class When:
    """A filter over flows."""

    def __init__(self, text: str) -> None:
        """Raises ValueError, which says where reading stopped."""
        if _depth(text) > DEEPEST:
            raise ValueError(f"{text!r:.80} has brackets in brackets more than {DEEPEST} deep; write it flatter")
        try:
            self._filter: Any = flowfilter.parse(text)
        except ValueError as error:
            at = getattr(error.__cause__, "loc", 0)  # 0 too where newer versions of pyparsing do not know
            where = f" at character {at + 1}" if at else ""
            raise ValueError(
                f"{text!r:.80} is no mitmproxy filter{where}; write one as in '~m POST & ~u /orders' or '~c 500'"
            ) from None
        self._text = text
        self._complained = False

    def now(self, flow: http.HTTPFlow) -> bool | None:
        """For a flow without response: whether it matches, None where that depends on what is still to come."""
        return self._guarded(self._certain, flow)

    def at_end(self, flow: http.HTTPFlow) -> bool:
        """For a flow that has its response, or its error."""
        return bool(self._guarded(lambda term, ended: bool(term(ended)), flow))

    def _guarded(self, ask: Any, flow: http.HTTPFlow) -> bool | None:
        try:
            found: bool | None = ask(self._filter, flow)
            return found
        except Exception as error:  # mitmproxy's code on whatever a client sent: no request may suffer
            if not self._complained:
                self._complained = True
                logger.warning("mirror: mirror-addon/when %s: %s: %s", self._text, type(error).__name__, error)
            return False

    def _certain(self, term: Any, flow: http.HTTPFlow) -> bool | None:
        """Three-valued: `a & b` is False as soon as one of them is, `a | b` True, and so on."""
        match term:
            case flowfilter.FNot():
                found = self._certain(term.itm, flow)
                return None if found is None else not found
            case flowfilter.FAnd() | flowfilter.FOr():
                decisive = isinstance(term, flowfilter.FOr)
                parts = [self._certain(part, flow) for part in term.lst]
                return decisive if decisive in parts else None if None in parts else not decisive
        body_is_gone = flow.request.raw_content is None  # it is streamed
        holds: bool | None = bool(term(flow))
        if isinstance(term, flowfilter.FBodRequest):
            return None if body_is_gone else holds
        if isinstance(term, _OF_REQUEST):
            return holds
        return holds if holds and isinstance(term, _OF_EITHER) else None


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in _QUOTED.sub("", text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        deepest = max(deepest, depth)
    return deepest


@functools.lru_cache(maxsize=1024)
def compile_when(text: str) -> When:
    """Raises ValueError."""
    return When(text)
