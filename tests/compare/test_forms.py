"""Forms by field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.differences import Differences
from mirror_addon.compare.forms import FormError
from mirror_addon.compare.forms import compare_forms
from mirror_addon.compare.forms import multipart
from mirror_addon.compare.forms import urlencoded


def compared(one: str, other: str) -> list[tuple[str, str]]:
    differences = Differences((), None, None)
    compare_forms(differences, urlencoded(one), urlencoded(other))
    return [(each.path, each.kind) for each in differences.listed(9)[0]]


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("a=1&b=2", "b=2&a=1", []),
        ("a=%20x", "a=+x", []),
        ("a=1", "a=2", [("form:a", "value")]),
        ("a=1&b=", "a=1", [("form:b", "missing")]),
        ("a=1", "a=1&b", [("form:b", "extra")]),
        ("a=1&a=2", "a=2&a=1", [("form:a", "order")]),
        ("a=1&a=2", "a=1", [("form:a", "length")]),
    ],
)
def test_urlencoded(one: str, other: str, found: list[tuple[str, str]]) -> None:
    assert compared(one, other) == found


def test_too_many_fields() -> None:
    with pytest.raises(FormError):
        urlencoded("a=1&" * 20_000)


BODY = (
    b'preamble\r\n--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    b'--b\r\nContent-Disposition: form-data; name="f"; filename="x.bin"\r\nContent-Type: image/png\r\n\r\n\xff\x00\r\n'
    b"--b\r\n\r\nno name\r\n--b--\r\n"
)


def test_multipart() -> None:
    fields = multipart(BODY, "b")
    assert fields["a"] == ["1"]
    assert fields["f"][0].startswith("(x.bin; image/png) 2 bytes, sha256 ")
    assert fields["part 2"] == ["no name"]


@pytest.mark.parametrize("body", [b"", b"x", b"--b\r\nno header--b--", b"--b\r\n\r\n1\r\n", b"--b" * 20_000])
def test_no_multipart(body: bytes) -> None:
    with pytest.raises(FormError):
        multipart(body, "b")


@given(st.binary(), st.text(min_size=1, max_size=5))
def test_any_bytes(body: bytes, boundary: str) -> None:
    try:
        fields = multipart(b"--b\r\n" + body + b"\r\n--b--", boundary)
    except FormError:
        return
    assert fields


def test_multipart_with_bare_line_feeds() -> None:
    body = b'--b\nContent-Disposition: form-data; name="a"\n\n1\n--b--\n'
    assert multipart(body, "b") == {"a": ["1"]}


@pytest.mark.parametrize(
    ("body", "boundary"), [(b"--b\r\nX: 1\r\n--b--\r\n", "b"), (b"--b\r\n\r\n1\r\n--b--", "\u0142")]
)
def test_malformed_multipart(body: bytes, boundary: str) -> None:
    with pytest.raises(FormError, match=r"empty line|boundary"):
        multipart(body, boundary)


def test_the_order_of_fields_does_not_matter_in_multipart() -> None:
    differences = Differences((), None, None)
    compare_forms(differences, {"a": ["1"], "b": ["2"]}, {"b": ["2"], "a": ["1"]})
    assert differences.verdict() == "same"
