from __future__ import annotations

from datetime import UTC
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.options.settings import BY_NAME
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import parse_option
from mirror_addon.options.settings import parse_settings
from mirror_addon.options.settings import update_settings
from mirror_addon.options.values import EndpointOverride
from mirror_addon.options.values import MirrorURL

DEFAULTS = {option.name: option.default for option in OPTIONS}


def test_defaults_are_the_designs() -> None:
    settings = parse_settings(DEFAULTS)
    assert settings.rules == ("rules",)
    assert settings.endpoints == settings.to == settings.gateways == ()
    assert (settings.namespace, settings.host_suffix, settings.path_normalization) == ("default", "-shadow", "BASE")
    assert (settings.use_remote_address, settings.enabled, settings.request_id) == (True, True, False)
    assert settings.methods is None and settings.expires is None
    assert (settings.timeout, settings.drain) == (30, 2)
    assert (settings.concurrency, settings.workers) == (256, 1)
    assert settings.queue == settings.max_body == 64 * 1024 * 1024
    assert settings.responses == "auto"
    assert (settings.record, settings.record_bodies, settings.record_rotate) == ("", False, None)
    assert (settings.control, settings.web_port, settings.pairs) == (0, None, 1000)
    assert {b"authorization", b"cookie", b"set-cookie"} <= settings.redact


@pytest.mark.parametrize(
    ("name", "value", "parsed"),
    [
        ("mirror_endpoints", ["serviceB/v2=127.0.0.1:9012"], (EndpointOverride("serviceB", "v2", "127.0.0.1", 9012),)),
        ("mirror_endpoints", ["reviews=[::1]:80"], (EndpointOverride("reviews", "", "::1", 80),)),
        ("mirror_endpoints", ["a.b.svc/x=localhost:1"], (EndpointOverride("a.b.svc", "x", "localhost", 1),)),
        ("mirror_to", ["http://localhost:9002"], (MirrorURL("http", "localhost", 9002, ""),)),
        ("mirror_to", ["https://[::1]/base/"], (MirrorURL("https", "::1", 443, "/base"),)),
        ("mirror_methods", "safe", frozenset({b"GET", b"HEAD", b"OPTIONS"})),
        ("mirror_methods", "get, PURGE", frozenset({b"GET", b"PURGE"})),
        ("mirror_timeout", "1m30s", 90),
        ("mirror_drain", "0s", 0),
        ("mirror_queue", "500kB", 500_000),
        ("mirror_queue", "1GiB", 1 << 30),
        ("mirror_expires", "2h", 7200),
        ("mirror_expires", "2026-11-22T20:00:00+00:00", datetime(2026, 11, 22, 20, tzinfo=UTC)),
        ("mirror_host_suffix", "", ""),
        ("mirror_control", "1%", 0.01),
        ("mirror_control", "0.5 %", 0.005),
        ("mirror_control", "100%", 1),
        ("mirror_control", "0", 0),
        ("mirror_redact", "Authorization, X-Key", frozenset({b"authorization", b"x-key"})),
        ("mirror_redact", "", frozenset()),
        ("mirror_record_rotate", "100MiB", 100 << 20),
        ("mirror_web_port", "9100", 9100),
        ("mirror_sample_seed", "ä", "ä".encode()),
    ],
)
def test_values(name: str, value: Any, parsed: Any) -> None:
    assert parse_option(name, value) == parsed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mirror_endpoints", ["serviceB"]),
        ("mirror_endpoints", ["serviceB/v2=127.0.0.1"]),
        ("mirror_endpoints", ["serviceB/v2=127.0.0.1:0"]),
        ("mirror_endpoints", ["serviceB/v2=127.0.0.1:65536"]),
        ("mirror_endpoints", ["serviceB/v2=::1:80"]),
        ("mirror_endpoints", ["serviceB/v2=127.0.0.999:80"]),
        ("mirror_endpoints", ["serviceB/=127.0.0.1:80"]),
        ("mirror_endpoints", ["=127.0.0.1:80"]),
        ("mirror_to", ["localhost:9002"]),
        ("mirror_to", ["ftp://localhost"]),
        ("mirror_to", ["http://"]),
        ("mirror_to", ["http://h:99999"]),
        ("mirror_to", ["http://[::1"]),
        ("mirror_to", ["http://h/?q"]),
        ("mirror_to", ["http://h/a b"]),
        ("mirror_namespace", "Default!"),
        ("mirror_path_normalization", "base"),
        ("mirror_control", "101%"),
        ("mirror_control", "-1%"),
        ("mirror_control", "nan"),
        ("mirror_redact", "Set Cookie"),
        ("mirror_record_rotate", "0"),
        ("mirror_web_port", "0"),
        ("mirror_web_port", "http"),
        ("mirror_pairs", "0"),
        ("mirror_compare", " "),
        ("mirror_methods", ""),
        ("mirror_methods", "GET,,"),
        ("mirror_timeout", "0s"),
        ("mirror_timeout", "30"),
        ("mirror_timeout", "-1s"),
        ("mirror_concurrency", "0"),
        ("mirror_concurrency", "many"),
        ("mirror_workers", "1.5"),
        ("mirror_queue", "lots"),
        ("mirror_queue", "0"),
        ("mirror_queue", "-1MiB"),
        ("mirror_responses", "maybe"),
        ("mirror_expires", "tomorrow"),
        ("mirror_host_suffix", "-sha dow"),
        ("mirror_rules", [""]),
    ],
)
def test_bad_values_say_what_to_write(name: str, value: Any) -> None:
    with pytest.raises(OptionError) as caught:
        parse_option(name, value)
    message = str(caught.value)
    assert message.startswith(f"{name}=")
    assert len(message.partition(": ")[2]) > 10


@given(st.sampled_from(sorted(BY_NAME)), st.text())
def test_any_text_is_a_value_or_an_option_error(name: str, text: str) -> None:
    option = BY_NAME[name]
    value: Any = text if option.kind is str else [text] if option.kind is not bool else True
    try:
        parse_option(name, value)
    except OptionError:
        pass


def test_an_update_parses_only_what_changed() -> None:
    before = parse_settings(DEFAULTS)
    after = update_settings(before, {"mirror_timeout": "1s", "mirror_enabled": False})
    assert (before.timeout, before.enabled) == (30, True)
    assert (after.timeout, after.enabled) == (1, False)
    assert update_settings(after, {"mirror_timeout": "30s", "mirror_enabled": True}) == before
    with pytest.raises(OptionError, match=r"^mirror_queue=0: "):
        update_settings(before, {"mirror_timeout": "1s", "mirror_queue": "0"})
