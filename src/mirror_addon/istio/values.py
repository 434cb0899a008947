"""Checks of single values that several kinds of objects have in common."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

import re2

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.names import domain_problem
from mirror_addon.istio.names import is_dns_label
from mirror_addon.istio.resources.messages import Percent
from mirror_addon.istio.resources.messages import PortSelector

MAX_PORT = 65535
MAX_REGEX = 1024
_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_ESCAPED = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.", re.DOTALL)
_QUIET = re2.Options()
_QUIET.log_errors = False


@functools.lru_cache(maxsize=65536)
def regex_problem(text: str) -> str | None:
    """Return why Istio refuses a regular expression (RE2 syntax, at most 1024 characters), or None."""
    if not text:
        return "an empty regex is refused; leave the condition out, or write '.*'"
    if len(text) > MAX_REGEX:
        return f"a regex has at most {MAX_REGEX} characters, this one has {len(text)}"
    try:
        re2.compile(text, _QUIET)
    except re2.error as error:
        reason = error.args[0] if error.args else "unknown"
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        return f"{text!r:.100} is not an RE2 regex: {reason}"
    if "\\C" in text and "\\C" in _ESCAPED.findall(text):
        # RE2 has it, and Go's regexp, by which Istio checks, has not.
        return f"{text!r:.100} is refused: Go has no \\C (any byte); write . with the flag (?s)"
    return None


def is_token(text: str) -> bool:
    """Return whether `text` is a token (RFC 9110 5.6.2), the form of a header's name."""
    return _TOKEN.fullmatch(text) is not None


def duration_problem(seconds: float) -> str | None:
    """Return why Istio refuses a duration (shorter than 1 ms, or not of whole milliseconds), or None."""
    if seconds < 0.001:
        return "must be at least 1ms; leave the field out for no limit"
    if round(seconds * 1e9) % 1_000_000:
        return "must be of whole milliseconds"
    return None


def check_duration(seconds: float | None, path: FieldPath, findings: Findings) -> None:
    if seconds is not None and (problem := duration_problem(seconds)):
        findings.error(path, problem)


def check_port(number: int, path: FieldPath, findings: Findings) -> None:
    if not 1 <= number <= MAX_PORT:
        findings.error(path, f"must be a port from 1 to {MAX_PORT}; it is {number}")


def check_selector(port: PortSelector | None, path: FieldPath, findings: Findings) -> None:
    """Check `port: {number: ...}`, where present."""
    if port is not None:
        check_port(port.number, (*path, "number"), findings)


def check_mirror_percent(percent: Percent | None, path: FieldPath, findings: Findings) -> None:
    """Check a mirror's percentage: any value from 0 to 100."""
    if percent is not None and not 0 <= percent.value <= 100:
        findings.error((*path, "value"), f"must be from 0 to 100; it is {percent.value:g}")


def check_fault_percent(percent: Percent | None, path: FieldPath, findings: Findings) -> None:
    """Check a fault's percentage: 0, or from 0.0001 to 100."""
    if percent is not None and percent.value != 0 and not 0.0001 <= percent.value <= 100:
        findings.error((*path, "value"), f"must be 0, or from 0.0001 to 100; it is {percent.value:g}")


def check_one_of(given: Sequence[str], path: FieldPath, findings: Findings) -> None:
    """Check that at most one member of a proto oneof is set; `given` are the names of those that are."""
    if len(given) > 1:
        findings.error(path, f"only one of {', '.join(given)} may be set; keep one")


def check_export_to(
    export_to: Sequence[str], namespace: str, path: FieldPath, findings: Findings, *, nobody: bool = False
) -> None:
    """Check `exportTo`. With `nobody` it may be `['~']`, as that of a ServiceEntry may."""
    seen: set[str] = set()
    for index, name in enumerate(export_to):
        here = (*path, "exportTo", index)
        if name == "~" and not nobody:
            findings.error(here, "'~' (nobody) is for Services only; write '.' for this namespace")
        elif name not in (".", "*", "~") and not is_dns_label(name):
            findings.error(here, f"{name!r:.80} is not a namespace; write '.', '*' or a namespace's name")
        full = namespace if name == "." else name
        if full in seen:
            findings.error(here, f"{name!r:.80} is repeated; remove one")
        seen.add(full)
    if "*" in seen and len(seen) > 1:
        findings.error((*path, "exportTo"), "'*' includes all namespaces; remove it or the others")
    if nobody and "~" in seen and len(seen) > 1:
        findings.error((*path, "exportTo"), "'~' is for nobody; remove it or the others")


def check_gateway_names(names: Sequence[str], path: FieldPath, findings: Findings) -> None:
    """Check names of gateways, up to the first without `/`: Istio's `validateGatewayNames` stops there too."""
    for index, name in enumerate(names):
        here = (*path, "gateways", index)
        namespace, slash, short = name.partition("/")
        if not slash:
            if problem := domain_problem(name):
                findings.error(here, f"{name!r:.80} {problem}; write NAMESPACE/NAME, or mesh")
            elif "." in name:
                parts = name.split(".")
                findings.warning(
                    here, f"the dotted form of a gateway's name is deprecated; write '{parts[1]}/{parts[0]}'"
                )
            return
        for part, what in ((namespace, "namespace"), (short, "name")):
            if not is_dns_label(part):
                findings.error(here, f"{part!r:.80} is not a {what} (DNS-1123 label); write NAMESPACE/NAME, or mesh")
