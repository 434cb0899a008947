"""The annotation `mirror-addon/when`: a filter expression of mitmproxy, evaluated as soon as its result is certain.

Many filters depend on the request alone. Then shadows need not wait for the response, and bodies may be streamed.
"""

from __future__ import annotations

import functools
import logging
import re
from typing import TYPE_CHECKING
from typing import Any

from mitmproxy import flowfilter
from mitmproxy import http

from mirror_addon.admission.linear_regexes import make_linear

if TYPE_CHECKING:
    from mirror_addon.routing.decision import Decision

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
"""Filters whose result is final when the request is complete. That of all others may change with the response."""
_OF_EITHER: tuple[type, ...] = (flowfilter.FHead, flowfilter.FContentType, flowfilter.FBod)
"""Filters over request and response: if the request alone matches, the result is final."""
DEEPEST = 4
"""Levels of brackets. Each makes mitmproxy's parser several times slower; ten of them take hours."""
_QUOTED = re.compile(r"""\"(?:[^"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'""")


class When:
    """A filter over flows. Raises ValueError if `text` is not one, with the place of the error."""

    def __init__(self, text: str) -> None:
        if _depth(text) > DEEPEST:
            raise ValueError(f"{text!r:.80} has more than {DEEPEST} levels of brackets; use fewer")
        try:
            self._filter: Any = flowfilter.parse(text)
        except ValueError as error:
            at = getattr(error.__cause__, "loc", 0)  # newer versions of pyparsing have no `loc`, or 0
            where = f" at character {at + 1}" if at else ""
            raise ValueError(
                f"{text!r:.80} is not a mitmproxy filter{where}; write one such as '~m POST & ~u /orders' or '~c 500'"
            ) from None
        self.slow = make_linear(self._filter)
        """The regular expressions of `text` that Python's engine matches: it may take exponential time."""
        self._text = text
        self._has_failed = False

    @property
    def expression(self) -> Any:
        """mitmproxy's filter."""
        return self._filter

    def now(self, flow: http.HTTPFlow) -> bool | None:
        """Return whether a flow matches that has no response yet; None if that depends on the response."""
        return self._guarded(self._certain, flow)

    def at_end(self, flow: http.HTTPFlow) -> bool:
        """Return whether a flow matches that has its response or its error."""
        return bool(self._guarded(lambda term, ended: bool(term(ended)), flow))

    def _guarded(self, evaluate: Any, flow: http.HTTPFlow) -> bool | None:
        try:
            found: bool | None = evaluate(self._filter, flow)
            return found
        except Exception as error:  # mitmproxy's filters see whatever a client sent, and the request must go on
            if not self._has_failed:
                self._has_failed = True
                logger.warning("mirror: mirror-addon/when %s: %s: %s", self._text, type(error).__name__, error)
            return False

    def _certain(self, term: Any, flow: http.HTTPFlow) -> bool | None:
        """Evaluate in three values, None for unknown: `a & b` is False if one of them is, `a | b` True if one is."""
        match term:
            case flowfilter.FNot():
                found = self._certain(term.itm, flow)
                return None if found is None else not found
            case flowfilter.FAnd() | flowfilter.FOr():
                decisive = isinstance(term, flowfilter.FOr)
                parts = [self._certain(part, flow) for part in term.lst]
                return decisive if decisive in parts else None if None in parts else not decisive
        is_streamed = flow.request.raw_content is None
        holds: bool | None = bool(term(flow))
        if isinstance(term, flowfilter.FBodRequest):
            return None if is_streamed else holds
        if isinstance(term, _OF_REQUEST):
            return holds
        return holds if holds and isinstance(term, _OF_EITHER) else None


def _depth(text: str) -> int:
    """Return the levels of brackets outside quoted text."""
    depth = deepest = 0
    for character in _QUOTED.sub("", text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        deepest = max(deepest, depth)
    return deepest


@functools.lru_cache(maxsize=1024)
def compile_when(text: str) -> When:
    """Return the filter of a text, from a cache. Raises ValueError."""
    return When(text)


def when_of(decision: Decision) -> When | None:
    """Return the filter that decides whether a request has shadows, None where there is none."""
    rule = decision.rule
    text = rule.annotations.when if rule is not None and rule.annotations is not None else ""
    return compile_when(text) if text else None


def waits_for_end(decision: Decision, flow: http.HTTPFlow) -> bool:
    """Return whether that depends on the request's body or on the response, so that the request has to be held."""
    when = when_of(decision)
    return when is not None and when.now(flow) is None
