"""The codes of findings: the reasons that a controller writes into `status.parents[].conditions` of a route.

Sources: kubernetes-sigs/gateway-api `apis/v1/shared_types.go`, istio `pilot/pkg/config/kube/gateway/conditions.go`.
"""

from __future__ import annotations

NO_MATCHING_PARENT = "NoMatchingParent"
NO_MATCHING_HOSTNAME = "NoMatchingListenerHostname"
NOT_ALLOWED = "NotAllowedByListeners"
BACKEND_NOT_FOUND = "BackendNotFound"
REF_NOT_PERMITTED = "RefNotPermitted"
INVALID_KIND = "InvalidKind"
INVALID_CA = "InvalidCACertificateRef"
UNSUPPORTED_VALUE = "UnsupportedValue"
UNSUPPORTED_PROTOCOL = "UnsupportedProtocol"
INCOMPATIBLE_FILTERS = "IncompatibleFilters"
CONFLICTED = "Conflicted"
INVALID_DESTINATION = "InvalidDestination"
"""Istio's own: a reference that cannot name a Service; the whole route is lost there."""
INVALID_FILTER = "InvalidFilter"
"""Istio's own: a filter that it does not support; the whole route is lost there."""
