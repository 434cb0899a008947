from __future__ import annotations

import gzip
import hashlib
import os
import time

from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.diff_view.bodies import MAX_LINE
from mirror_addon.diff_view.bodies import body_differences
from mirror_addon.diff_view.bodies import read_body


def differences(primary: bytes, shadow: bytes, content_type: str = "text/plain", coding: str = "") -> list[str]:
    return list(body_differences(read_body(primary, content_type, coding), read_body(shadow, content_type, coding)))


def test_text_is_a_unified_diff_with_the_line_numbers_of_the_whole_body() -> None:
    lines = [f"line {number}" for number in range(100)]
    changed = [*lines[:50], "another", *lines[51:]]
    assert differences("\n".join(lines).encode(), "\n".join(changed).encode()) == [
        "@@ -48,7 +48,7 @@",
        " line 47",
        " line 48",
        " line 49",
        "-line 50",
        "+another",
        " line 51",
        " line 52",
        " line 53",
    ]


def test_equal_bodies_have_none() -> None:
    assert differences(b"a\nb", b"a\nb") == []


def test_ends_of_lines_and_charsets_are_named() -> None:
    assert differences(b"a\r\nb", b"a\nb") == ["only the line endings differ"]
    body = "é".encode()
    assert list(body_differences(read_body(body, "text/plain"), read_body(b"\xe9", "text/plain; charset=latin-1"))) == [
        "the same text in other bytes (another charset or a byte order mark)"
    ]


def test_one_long_line_shows_its_first_difference() -> None:
    long = b"x" * 5000
    shown = differences(long + b"one" + long, long + b"two" + long)
    assert all(len(line) < MAX_LINE + 40 for line in shown)
    assert shown[-3] == "first difference:"
    assert shown[-2].startswith("- …xxx") and "one" in shown[-2]
    assert shown[-1].startswith("+ …xxx") and "two" in shown[-1]


def test_bytes_have_length_digest_and_first_difference() -> None:
    shown = differences(b"\0\1\2\3\4", b"\0\1\2\xff", "application/octet-stream")
    assert shown == [
        "primary 5 bytes, sha256 08bb5e5d6eaac104",
        f"shadow  4 bytes, sha256 {hashlib.sha256(bytes([0, 1, 2, 255])).hexdigest()[:16]}",
        "first difference at byte 3:",
        "- 00 01 02 03 04",
        "+ 00 01 02 ff",
    ]


def test_a_body_that_ends_earlier() -> None:
    assert differences(b"\0" * 9, b"\0" * 8, "image/png")[-2:] == [
        "- 00 00 00 00 00 00 00 00 00",
        "+ " + "00 " * 7 + "00",
    ]
    assert differences(b"\0" * 20, b"", "image/png")[-1] == "+ (ended)"


def test_content_codings_are_undone_and_a_broken_one_is_shown_as_bytes() -> None:
    assert differences(gzip.compress(b"a\n"), gzip.compress(b"b\n"), coding="gzip") == ["@@ -1 +1 @@", "-a", "+b"]
    assert "first difference at byte 0:" in differences(b"never gzip", gzip.compress(b"b"), coding="gzip")


def test_big_bodies_are_quick_whatever_is_in_them() -> None:
    alike = b"{}\n" * 500_000
    pairs = [
        (os.urandom(5_000_000), os.urandom(5_000_000)),
        (alike, b"}\n" + alike + b"{\n"),
        (b"x" * 5_000_000, b"x" * 4_999_999 + b"y"),
    ]
    for primary, shadow in pairs:
        started = time.process_time()
        assert len(differences(primary, shadow)) < 1000
        assert time.process_time() - started < 2


@given(st.binary(max_size=300), st.binary(max_size=300), st.sampled_from(["", "text/plain", "image/png", ";;="]))
def test_any_bytes(primary: bytes, shadow: bytes, content_type: str) -> None:
    assert bool(differences(primary, shadow, content_type)) == (primary != shadow)
