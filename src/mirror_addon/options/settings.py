"""The `mirror_*` options: their names, defaults and help, and how their text becomes `Settings`.

Numbers, enums and durations are declared to mitmproxy as text and read here, because mitmproxy drops a whole addon
without a word when it cannot convert a value itself.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from datetime import datetime
from typing import Any

from mirror_addon.compare.redaction import DEFAULT_REDACTED
from mirror_addon.options import values
from mirror_addon.options.values import EndpointOverride
from mirror_addon.options.values import MirrorURL

NORMALIZATIONS = ("NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES")

COMPARE_FILE = "compare.yaml"
"""Where rules of comparison are looked for; this one may be missing."""


class OptionError(ValueError):
    """A value that an option cannot take: `NAME=VALUE: what is wrong; what to write`."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The options, read. Times are seconds, sizes bytes."""

    rules: tuple[str, ...]
    endpoints: tuple[EndpointOverride, ...]
    to: tuple[MirrorURL, ...]
    namespace: str
    gateways: tuple[str, ...]
    use_remote_address: bool
    enabled: bool
    host_suffix: str
    request_id: bool
    path_normalization: str
    methods: frozenset[bytes] | None
    """None: all."""
    expires: float | datetime | None
    """Seconds from the start of the run, or a moment."""
    timeout: float
    concurrency: int
    workers: int
    queue: int
    max_body: int
    responses: str
    record: str
    """Path of the record, or empty."""
    record_bodies: bool
    record_rotate: int | None
    control: float
    """From 0 to 1."""
    redact: frozenset[bytes]
    """Header names in lower case."""
    compare: str
    """Path of the rules of comparison; it need not exist where it is the default."""
    pairs: int
    sample_seed: bytes
    web_port: int | None
    drain: float
    fast_hooks: bool


@dataclass(frozen=True, slots=True)
class Option:
    """One option as mitmproxy shows it. `kind` is a type that mitmproxy can convert without fail, but for bool."""

    name: str
    kind: Any
    default: Any
    parse: Callable[[Any], Any]
    help: str


OPTIONS = (
    Option(
        "mirror_rules",
        Sequence[str],
        ["rules"],
        values.each(values.some_text),
        "Istio YAML: files and folders. Reloaded when they change.",
    ),
    Option(
        "mirror_endpoints",
        Sequence[str],
        [],
        values.each(values.endpoint_override),
        "Where a destination listens, HOST[/SUBSET]=ADDRESS:PORT. Wins over the YAML.",
    ),
    Option(
        "mirror_to",
        Sequence[str],
        [],
        values.each(values.parse_mirror_url),
        "The mirror without YAML: URLs to which requests that no rule claims are mirrored; they pass through as ever.",
    ),
    Option(
        "mirror_namespace", str, "default", values.namespace, "Namespace of this proxy and of documents without one."
    ),
    Option(
        "mirror_gateways",
        Sequence[str],
        [],
        values.each(values.some_text),
        "Gateways this proxy acts as, 'mesh' among them. Decides which virtual services apply; none given: all.",
    ),
    Option(
        "mirror_use_remote_address",
        bool,
        True,
        bool,
        "An edge: append the client's address to the primary's X-Forwarded-For. A sidecar (false) leaves it alone.",
    ),
    Option("mirror_enabled", bool, True, bool, "Send shadows. Off: route as ever, mirror nothing."),
    Option(
        "mirror_host_suffix",
        str,
        "-shadow",
        values.host_suffix,
        "Appended to the shadow's Host. Empty imitates Istio 1.28 and newer.",
    ),
    Option(
        "mirror_request_id",
        bool,
        False,
        bool,
        "Give routed requests without one an x-request-id, the same on primary and shadow.",
    ),
    Option(
        "mirror_path_normalization",
        str,
        "BASE",
        values.one_of(*NORMALIZATIONS),
        "Of routed requests, Istio's names: NONE, BASE, MERGE_SLASHES, DECODE_AND_MERGE_SLASHES.",
    ),
    Option(
        "mirror_methods",
        str,
        "all",
        values.methods,
        "Methods that are mirrored: all, safe (GET, HEAD, OPTIONS), or names with commas.",
    ),
    Option(
        "mirror_expires",
        str,
        "",
        values.expiry,
        "Duration (2h) or time (RFC 3339) after which nothing is mirrored any more.",
    ),
    Option(
        "mirror_timeout",
        str,
        "30s",
        values.positive_duration,
        "Deadline of a whole shadow, connect to last byte, where the route sets none.",
    ),
    Option(
        "mirror_concurrency",
        str,
        "256",
        values.count,
        "Shadows in flight per mirror target and worker.",
    ),
    Option("mirror_workers", str, "1", values.count, "Worker processes that send shadows."),
    Option(
        "mirror_queue",
        str,
        "64MiB",
        values.size,
        "Bytes of shadows that may wait, in proxy, pipe and worker together; beyond it they are dropped and counted.",
    ),
    Option("mirror_max_body", str, "64MiB", values.size, "A bigger request body is not mirrored, and counted."),
    Option(
        "mirror_responses",
        str,
        "auto",
        values.one_of("auto", "keep", "discard"),
        "The mirror's answers: keep (capped), discard, or auto: keep where there is a view, a record or a page.",
    ),
    Option(
        "mirror_record",
        str,
        "",
        values.any_text,
        "Write a JSON line for each shadow, with both answers' statuses, times and differences, to this file.",
    ),
    Option("mirror_record_bodies", bool, False, bool, "Record headers and bodies too: for replay, and for tests."),
    Option(
        "mirror_record_rotate",
        str,
        "",
        values.optional(values.size),
        "Start another file when the record is this big (100MiB); none given: never.",
    ),
    Option(
        "mirror_control",
        str,
        "0%",
        values.share,
        "Share of GET and HEAD requests that are asked of the primary again, to learn what differs there by itself.",
    ),
    Option(
        "mirror_redact",
        str,
        ",".join(DEFAULT_REDACTED),
        values.field_names,
        "Header fields whose values are left out of records and pages.",
    ),
    Option(
        "mirror_compare",
        str,
        COMPARE_FILE,
        values.some_text,
        "Rules of comparison by hand: what to ignore, and which values are equal enough.",
    ),
    Option("mirror_pairs", str, "1000", values.count, "Shadows that a view keeps; older ones are taken out of it."),
    Option(
        "mirror_sample_seed",
        str,
        "mirror-addon",
        str.encode,
        "Seed of sampling by user (mirror-addon/sample-by): another seed chooses other users.",
    ),
    Option(
        "mirror_web_port",
        str,
        "",
        values.optional(values.listening_port),
        "Serve the live page, http://mirror-addon.test/ through the proxy, on this port of 127.0.0.1 too.",
    ),
    Option("mirror_drain", str, "2s", values.duration, "At shutdown, how long shadows may still finish."),
    Option(
        "mirror_fast_hooks",
        bool,
        True,
        bool,
        "Have mitmproxy ask only those of its addons that have a hook, which takes a third off a request. Off: all.",
    ),
)

BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}


def parse_option(name: str, value: Any) -> Any:
    """The value of option `name`, read. Raises OptionError, which names option, value and cure."""
    try:
        return BY_NAME[name].parse(value)
    except ValueError as error:
        shown = " ".join(value) if isinstance(value, (list, tuple)) else value
        raise OptionError(f"{name}={shown}: {error}") from None


def parse_settings(texts: Mapping[str, Any]) -> Settings:
    """All options, read. Raises OptionError for the first that cannot be."""
    return Settings(
        **{option.name.removeprefix("mirror_"): parse_option(option.name, texts[option.name]) for option in OPTIONS}
    )


def update_settings(settings: Settings, texts: Mapping[str, Any]) -> Settings:
    """`settings` with the options in `texts` read anew, and no other. Raises OptionError."""
    changed = {name.removeprefix("mirror_"): parse_option(name, text) for name, text in texts.items()}
    return replace(settings, **changed)


def unknown_option(name: str) -> str:
    """What to tell somebody who set an option `mirror_*` that does not exist."""
    short = {known.removeprefix("mirror_"): known for known in BY_NAME}
    near = difflib.get_close_matches(name.removeprefix("mirror_"), short, n=1)
    hint = f"did you mean {short[near[0]]}?" if near else f"there are {', '.join(BY_NAME)}"
    return f"unknown option {name}: {hint}"
