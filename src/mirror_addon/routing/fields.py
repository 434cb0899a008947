"""The type of header fields, and the fields of which there is one line."""

from __future__ import annotations

Fields = tuple[tuple[bytes, bytes], ...]
"""Header fields in order, with names as sent, without Host and pseudo-header fields."""

# Envoy keeps one line of each of these, its inline headers, whatever arrives or is added (measured with 1.40).
JOINED_REQUEST_FIELDS = frozenset(
    b"accept accept-encoding authorization cache-control content-encoding content-type grpc-timeout if-match "
    b"if-modified-since if-none-match if-range origin pragma referer user-agent via x-client-trace-id "
    b"x-forwarded-for x-forwarded-host x-forwarded-proto x-request-id access-control-request-method "
    b"access-control-request-headers x-envoy-original-path".split()
)
JOINED_RESPONSE_FIELDS = frozenset(
    b"age cache-control content-encoding content-type etag expires grpc-status last-modified location vary via "
    b"x-request-id access-control-allow-origin access-control-allow-headers access-control-allow-methods "
    b"access-control-max-age access-control-expose-headers access-control-allow-credentials grpc-message "
    b"x-envoy-upstream-service-time".split()
)
