from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.options.nearby import begins_like_ours
from mirror_addon.options.nearby import did_you_mean
from mirror_addon.options.nearby import near_bool
from mirror_addon.options.nearby import near_option
from mirror_addon.options.settings import BY_NAME
from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import parse_option


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("mirror_control", "1", "1%"),
        ("mirror_control", "0.5", "0.5%"),
        ("mirror_control", " 100 ", "100%"),
        ("mirror_timeout", "30", "30s"),
        ("mirror_timeout", "5 min", "5m"),
        ("mirror_drain", "2 seconds", "2s"),
        ("mirror_expires", "2d", "48h"),
        ("mirror_expires", "2 Hours", "2h"),
        ("mirror_queue", "64 Mi", "64MiB"),
        ("mirror_max_body", "64,000", "64000"),
        ("mirror_max_body", "1.5.5MiB", None),
        ("mirror_concurrency", "1,000", "1000"),
        ("mirror_workers", "many", None),
        ("mirror_web_port", ":8082", "8082"),
        ("mirror_web_port", "127.0.0.1:8082", "8082"),
        ("mirror_methods", "SAFE", "safe"),
        ("mirror_methods", "All", "all"),
        ("mirror_methods", "GET POST", "GET,POST"),
        ("mirror_methods", "get;head", "get,head"),
        ("mirror_path_normalization", "merge-slashes", "MERGE_SLASHES"),
        ("mirror_responses", "keeps", "keep"),
        ("mirror_responses", "xyzzy", None),
        ("mirror_namespace", "Prod", "prod"),
        ("mirror_redact", "Authorization; Cookie", "Authorization,Cookie"),
        ("mirror_endpoints", ["a=127.0.0.1:1", "serviceB/v2=9012"], "serviceB/v2=127.0.0.1:9012"),
        ("mirror_endpoints", ["serviceB/v2=http://127.0.0.1:9012/"], "serviceB/v2=127.0.0.1:9012"),
        ("mirror_endpoints", ["serviceB/v2:127.0.0.1:9012"], "serviceB/v2=127.0.0.1:9012"),
        ("mirror_endpoints", ["serviceB/v2=localhost"], None),
        ("mirror_to", ["localhost:9002"], "http://localhost:9002"),
        ("mirror_to", ["gopher://x"], None),
        ("mirror_to", ["~d shop.test|http://h"], "|~d shop.test|http://h"),
        ("mirror_timeout", "9" * 5000, None),
    ],
)
def test_values(name: str, value: Any, meant: str | None) -> None:
    with pytest.raises(OptionError) as caught:
        parse_option(name, value)
    hint = str(caught.value).partition("did you mean ")[2]
    assert hint == (f"{meant}?" if meant is not None else "")
    assert len(str(caught.value)) < 1000
    if meant is not None:
        parse_option(name, [meant] if isinstance(value, list) else meant)


def test_methods_that_are_nearly_known() -> None:
    with pytest.raises(OptionError, match="GTE is no method of HTTP; did you mean GET"):
        parse_option("mirror_methods", "POST,GTE")
    assert parse_option("mirror_methods", "PROPFIND,PURGE,LINK,REPORT,MKCOL") is not None


@given(st.text())
def test_a_hint_is_a_value_that_is_accepted(text: str) -> None:
    for name in ("mirror_control", "mirror_timeout", "mirror_queue", "mirror_endpoints", "mirror_to", "mirror_methods"):
        option = BY_NAME[name]

        def parse(value: str, name: str = name, listed: bool = option.kind is not str) -> Any:
            try:
                return parse_option(name, [value] if listed else value)
            except OptionError as error:
                raise ValueError(str(error)) from None

        if hint := did_you_mean(parse, text):
            parse(hint.removeprefix("; did you mean ").removesuffix("?"))


@pytest.mark.parametrize(
    ("text", "meant"), [("1", "true"), ("Yes", "true"), ("off", "false"), ("0", "false"), ("2", ""), ("", "")]
)
def test_booleans(text: str, meant: str) -> None:
    assert near_bool(text) == (f"; did you mean {meant}?" if meant else "")


OTHERS = ("modify_headers", "web_port", "stickyauth", "websocket", "showhost", "server_replay")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("mirorr_to", "mirror_to"),
        ("mirror-endpoints", "mirror_endpoints"),
        ("MIRROR_RULES", "mirror_rules"),
        ("mirror.web.port", "mirror_web_port"),
        ("miror_endpiont", "mirror_endpoints"),
        ("endpoints", "mirror_endpoints"),
        ("endpoint", "mirror_endpoints"),
        ("concurency", "mirror_concurrency"),
        ("web_ports", None),
        ("modify_header", None),
        ("minor_version", None),
        ("", None),
        ("x" * 10_000, None),
    ],
)
def test_names(name: str, meant: str | None) -> None:
    assert near_option(name, BY_NAME, OTHERS) == meant


@pytest.mark.parametrize("name", ["mirorr_to", "mirror-to", "miror.to", "Mirror", "mirrors_to"])
def test_names_that_begin_like_ours(name: str) -> None:
    assert begins_like_ours(name)


@pytest.mark.parametrize("name", ["minor_version", "endpoints", "modify_headers", "", "error_to"])
def test_names_that_do_not(name: str) -> None:
    assert not begins_like_ours(name)
