"""What the options say to the parts of the engine, and which option is for which part."""

from __future__ import annotations

import functools
import logging
import os
import secrets
from collections.abc import Collection
from pathlib import Path
from typing import Any

from mirror_addon.compare.record_file import why_no_folder
from mirror_addon.compare.record_file import why_unwritable
from mirror_addon.compare.record_path import RecordPath
from mirror_addon.compare.redaction import Redaction
from mirror_addon.dispatch.settings import ShadowSettings
from mirror_addon.options.settings import BY_NAME
from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import Settings
from mirror_addon.protos.files import read_protos
from mirror_addon.routing.decision import Decision
from mirror_addon.shadow.frames import Recording

GATE_OPTIONS = frozenset(
    {"mirror_enabled", "mirror_methods", "mirror_expires", "mirror_host_suffix", "mirror_use_remote_address"}
)
MAKER_OPTIONS = frozenset({"mirror_host_suffix", "mirror_timeout", "mirror_control"})
ENGINE_OPTIONS = frozenset({"mirror_concurrency", "mirror_workers", "mirror_queue", "mirror_max_body"})
"""Options that make another dispatcher."""
PAIR_OPTIONS = ENGINE_OPTIONS | {
    "mirror_compare", "mirror_record", "mirror_record_bodies", "mirror_record_rotate", "mirror_redact",
    "mirror_responses", "mirror_web_port", "mirror_host_suffix", "mirror_protos", "mirror_rerun", "mirror_sandbox",
    "mirror_twin",
}  # fmt: skip
"""Options that change what workers keep, compare and record."""

RULE_OPTIONS = frozenset(
    {
        "mirror_rules", "mirror_endpoints", "mirror_to", "mirror_namespace", "mirror_gateways", "mirror_strict",
        "mirror_use_remote_address", "mirror_path_normalization", "mirror_sample_seed", "mirror_proxy_headers",
    }
)  # fmt: skip
"""Options that make another table."""

COMPARED_BODY = 16 * 1024 * 1024
"""Bytes of a response body that are compared, recorded and shown; the rest of a longer one is not kept."""


DEFINITIONS = "protobuf_definitions"
"""mitmproxy's own option (12 and newer): a .proto file whose types are used like those of `mirror_protos`."""

logger = logging.getLogger(__name__)


def own_options(updated: Collection[str]) -> frozenset[str]:
    """Return which of our options are concerned by a change of these options of mitmproxy."""
    own = frozenset(updated) & BY_NAME.keys()
    return own | {"mirror_protos"} if DEFINITIONS in updated else own


def values_of(options: Any, names: Collection[str]) -> dict[str, Any]:
    """Return the values of our options, as mitmproxy has them."""
    values = {name: getattr(options, name) for name in names}
    definitions = getattr(options, DEFINITIONS, None) if "mirror_protos" in values else None
    if definitions:
        try:
            read_protos((definitions,))
        except OptionError as error:
            logger.warning("mirror: %s is not used: %s", DEFINITIONS, str(error).partition(": ")[2])
        else:
            values["mirror_protos"] = [*values["mirror_protos"], definitions]
    return values


def check_files(settings: Settings, changed: Collection[str]) -> None:
    """Create and read the files that changed options name. Raises OptionError for those that cannot be used, and for
    options that exclude each other."""
    if settings.rerun and settings.responses == "discard" and {"mirror_rerun", "mirror_responses"} & set(changed):
        raise OptionError("mirror_rerun=true: mirror_responses=discard leaves nothing to compare; use auto or keep")
    if "mirror_record" in changed:
        check_record(settings)
    if "mirror_protos" in changed:
        read_protos.cache_clear()  # a file may have changed since
        read_protos(settings.protos)


REDACT_KEY = secrets.token_bytes(16)
"""Of this run, for the placeholders of what `mirror_redact` leaves out."""


def record_path(settings: Settings) -> Path | None:
    """Return the absolute path of the record, with its placeholders, None if there is none."""
    return Path(os.path.abspath(os.path.expanduser(settings.record))) if settings.record else None


def check_record(settings: Settings) -> None:
    """Create the record's file, or the folder of its files, if it is missing. Raises OptionError if it cannot be
    written."""
    path = record_path(settings)
    if path is None:
        return
    parsed = RecordPath(str(path))
    begin = Path(parsed.begin())
    if problem := why_unwritable(begin) if parsed.is_fixed else why_no_folder(begin):
        raise OptionError(f"mirror_record={settings.record}: {problem}")


@functools.lru_cache(maxsize=4)
def redaction_of(entries: frozenset[bytes]) -> Redaction:
    """Return what `mirror_redact` leaves out of pages and the log, as workers do of records."""
    return Redaction((entry.decode() for entry in entries), REDACT_KEY)


def has_twin(settings: Settings, decision: Decision) -> bool:
    """Whether the state of a request's mirrors is kept in step, by the annotation of its rule or else the option."""
    own = decision.rule.twin if decision.rule is not None else None
    return settings.twin if own is None else own


def limits_of(settings: Settings) -> ShadowSettings:
    """Return the limits of a dispatcher."""
    return ShadowSettings(
        concurrency=settings.concurrency,
        workers=settings.workers,
        queue=settings.queue,
        max_body=settings.max_body,
    )


def recording_of(settings: Settings, rules: str, *, compare: bool, reflected: bytes = b"") -> Recording:
    """Return what workers do with pairs: whether to `compare` them, by which `rules` (a text), and what to record.

    `reflected`: descriptors that servers were asked for. Raises OptionError where those of files cannot be read.
    """
    path = record_path(settings)
    return Recording(
        settings.queue,
        compare,
        rules,
        settings.compare,
        tuple(sorted(settings.redact)),
        str(path) if path is not None else "",
        settings.record_bodies,
        settings.record_rotate or 0,
        suffix=settings.host_suffix.encode(),
        descriptors=read_protos(settings.protos) + reflected,
        redact_key=REDACT_KEY,
    )
