from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from mirror_addon.processor.credentials import CredentialsError
from mirror_addon.processor.credentials import read_credentials


@pytest.fixture
def files(authority: Any) -> tuple[str, str]:
    certificate, key = authority.issue("127.0.0.1")
    return str(certificate), str(key)


def test_files(files: tuple[str, str], authority: Any) -> None:
    found = read_credentials(*files, "")
    assert found is not None
    assert found.verify_mode is ssl.CERT_NONE
    strict = read_credentials(*files, str(authority.path))
    assert strict is not None
    assert strict.verify_mode is ssl.CERT_REQUIRED
    assert strict.get_ca_certs()


def test_none() -> None:
    assert read_credentials("", "", "") is None


def test_what_cannot_be_used(files: tuple[str, str], tmp_path: Path) -> None:
    certificate, key = files
    bad = tmp_path / "bad.pem"
    bad.write_text("nothing")
    for given, said in (
        ((certificate, "", ""), "--tls-key"),
        (("", "", certificate), "both"),
        ((str(tmp_path / "none"), key, ""), "No such file"),
        ((str(bad), key, ""), "in PEM"),
        ((certificate, key, str(bad)), "in PEM"),
        ((certificate, key, "/dev/zero"), "/dev/zero"),
    ):
        with pytest.raises(CredentialsError, match=said):
            read_credentials(*given)
