"""The filter of `mirror_to` (`|FILTER|URL`): a filter expression of mitmproxy over the head of a request.

The rules are asked as soon as a head is there, and of a `Request` alone, so that `explain`, `replay` and the proxy
decide alike. So a filter may only use what the head has; one that asks for anything else could never match, and is
refused.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from mitmproxy import connection
from mitmproxy import flowfilter
from mitmproxy import http

from mirror_addon.admission.linear_regexes import terms
from mirror_addon.admission.when import When
from mirror_addon.options.settings import OptionError
from mirror_addon.options.values import MirrorURL
from mirror_addon.routing.decision import Request
from mirror_addon.routing.names import without_port

logger = logging.getLogger(__name__)

_OF_HEAD: tuple[type, ...] = (
    flowfilter.FAll,
    flowfilter.FContentType,
    flowfilter.FContentTypeRequest,
    flowfilter.FDomain,
    flowfilter.FHTTP,
    flowfilter.FHead,
    flowfilter.FHeadRequest,
    flowfilter.FMethod,
    flowfilter.FReq,
    flowfilter.FUrl,
)
USABLE = "~d, ~u, ~m, ~h, ~hq, ~t, ~tq, ~q, ~http and ~all"


class RequestFilter:
    """A predicate of requests. Raises ValueError if `text` is not a filter, or not one of a request's head."""

    def __init__(self, text: str) -> None:
        self._filter = When(text).expression
        for term in terms(self._filter):
            if not isinstance(term, _OF_HEAD):
                raise ValueError(
                    f"~{term.code} is not known when the head of a request arrives, which decides where it goes; "
                    f"use {USABLE}"
                )
        self._text = text
        self._has_failed = False
        client = connection.Client(peername=("", 0), sockname=("", 0), timestamp_start=0)
        self._flow = http.HTTPFlow(client, connection.Server(address=None))

    def __call__(self, request: Request) -> bool:
        """Return whether a request matches. Raises nothing."""
        try:
            self._flow.request = _as_mitmproxys(request)
            return bool(self._filter(self._flow))
        except Exception as error:  # mitmproxy's filters see whatever a client sent, and the request must go on
            if not self._has_failed:
                self._has_failed = True
                logger.warning("mirror: mirror_to %s: %s: %s", self._text, type(error).__name__, error)
            return False


def check_filters(urls: Iterable[MirrorURL]) -> None:
    """Raise OptionError for the first of `mirror_to` whose filter cannot be used."""
    for url in urls:
        if url.filter:
            try:
                RequestFilter(url.filter)
            except ValueError as error:
                raise OptionError(f"mirror_to={url}: {error}") from None


def _as_mitmproxys(request: Request) -> http.Request:
    return http.Request(
        host=without_port(request.authority).decode("utf-8", "surrogateescape"),
        port=request.port,
        method=request.method,
        scheme=request.scheme,
        authority=b"",
        path=request.path,
        http_version=b"HTTP/1.1",
        headers=http.Headers(((b"Host", request.authority), *request.headers)),
        content=None,
        trailers=None,
        timestamp_start=0,
        timestamp_end=None,
    )
