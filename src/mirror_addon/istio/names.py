"""Validates the names of domains, labels and namespaces, and resolves short host names.

The rules are those of istio `pkg/config/validation/agent/validation.go`: names are ASCII and DNS-1123, with upper case
allowed in hosts.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Mapping

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.findings import Findings

DOMAIN_SUFFIX = "cluster.local"
_LABEL = re.compile(r"[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
_WILDCARD_LABEL = re.compile(r"\*|(?:\*|\*-)?[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
_DNS_1123 = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_QUALIFIED = re.compile(r"[a-zA-Z0-9](?:[-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
_KEY_PREFIX = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_LONGEST_DOMAIN = 255
_LONGEST_KEY_PREFIX = 253


def is_ip(text: str) -> bool:
    """Return whether `text` is an IPv4 or IPv6 address, without a zone."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    # Istio parses addresses with Go's net.ParseIP, which accepts no zone (`fe80::1%eth0`).
    return "%" not in text


def is_dns_label(text: str) -> bool:
    """Return whether `text` is a DNS-1123 label, the form of subset, port and namespace names."""
    return _DNS_1123.fullmatch(text) is not None


@functools.lru_cache(maxsize=65536)
def domain_problem(text: str, wildcard: bool = False) -> str | None:
    """Return why `text` is not a domain name, or None. With `wildcard` its first label may begin with `*`."""
    if not text:
        return "is empty"
    if len(text) > _LONGEST_DOMAIN:
        return f"is longer than {_LONGEST_DOMAIN} characters"
    labels = text.removesuffix(".").split(".")
    if wildcard and labels[0].startswith("*"):
        if not _WILDCARD_LABEL.fullmatch(labels[0]) or len(labels[0]) > 63:
            return f"{labels[0]!r} is not a wildcard: '*' may only begin the first label"
        labels = labels[1:]
    elif "*" in text and wildcard:
        return "'*' may only begin the first label"
    for label in labels:
        if not _LABEL.fullmatch(label):
            return f"the label {label!r:.80} is not a DNS name (letters, digits, '-', at most 63)"
    if labels and labels[-1].isdecimal():
        return "an IP address or a number is not a domain name"
    return None


def resolve_short_name(host: str, namespace: str) -> str:
    """Return the full host of a short name in its object's namespace; names with a dot, `*` and IPs are literal.

    Source: istio `pilot/pkg/model/config.go`, `ResolveShortnameToFQDN`.
    """
    if not host or "." in host or host.startswith("*") or ":" in host:
        return host
    return f"{host}.{namespace}.svc.{DOMAIN_SUFFIX}"


def validate_labels(labels: Mapping[str, str], path: FieldPath, findings: Findings) -> None:
    """Check label keys and values by the rules of Kubernetes."""
    for key, value in labels.items():
        prefix, slash, name = key.rpartition("/")
        good_prefix = not slash or (len(prefix) <= _LONGEST_KEY_PREFIX and _KEY_PREFIX.fullmatch(prefix))
        if not (good_prefix and _QUALIFIED.fullmatch(name)):
            findings.error(
                (*path, key),
                f"{key!r:.80} is not a label key ([prefix/]name; letters, digits, '-', '_', '.', at most 63)",
                at_key=True,
            )
        if value and not _QUALIFIED.fullmatch(value):
            findings.error(
                (*path, key), f"{value!r:.80} is not a label value (letters, digits, '-', '_', '.', at most 63)"
            )
