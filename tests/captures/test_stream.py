from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path
from typing import Any

import pytest
from capturetools import Folder
from capturetools import dump
from capturetools import exchange
from capturetools import har

from mirror_addon.captures.reading import read_capture
from mirror_addon.captures.stream import CaptureError


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="gone: No such file"):
        list(read_capture(tmp_path / "gone", lambda _: None))


def test_special_files_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    cases = [("pipe", "named pipe"), ("/dev/zero", "no regular file"), (".", "Is a directory")]
    for name, why in cases:
        path = tmp_path / name
        with pytest.raises(CaptureError, match=why):
            list(read_capture(path, lambda _: None))


@pytest.mark.parametrize("squeeze", [gzip.compress, zlib.compress], ids=["gzip", "zlib, as .zhar"])
def test_compressed(folder: Folder, squeeze: Any) -> None:
    one, two = dump(exchange()), dump(exchange())
    assert len(folder.recorded(squeeze(one + two))) == 2
    assert len(folder.recorded(squeeze(har(exchange())))) == 1
    folder.entries(squeeze(one + two)[:-9])
    assert "the compressed data is incomplete" in folder.warnings[-1]


def test_compressed_in_several_members_and_broken(folder: Folder) -> None:
    assert len(folder.recorded(gzip.compress(dump(exchange())) + gzip.compress(dump(exchange())))) == 2
    with pytest.raises(CaptureError, match="cannot be decompressed before byte"):
        folder.entries(gzip.compress(dump(exchange()))[:10] + b"\xff" * 100)
