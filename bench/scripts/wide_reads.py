"""Reads every streamed body as mirror_addon reads a mirrored one, to see what mirroring alone costs.

For `mitmdump -s mirror_addon -s bench/scripts/wide_reads.py`.
"""

from __future__ import annotations

from mitmproxy import http

from mirror_addon.host.wide_reads import widen_reads


def requestheaders(flow: http.HTTPFlow) -> None:
    if flow.request.stream:
        widen_reads(flow.client_conn)
