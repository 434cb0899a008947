"""The file of `mirror-addon collect`: JSON Lines, or a HAR that is a complete document after every request."""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import Any
from typing import Protocol
from urllib.parse import parse_qsl
from urllib.parse import urlsplit

from mirror_addon._version import __version__
from mirror_addon.collector.server import Collected
from mirror_addon.compare.record import to_json
from mirror_addon.compare.record_file import RecordFile

_END = b"\n]}}\n"
"""Closes the list of entries, `log`, and the document."""


class Writer(Protocol):
    """A file that requests are written to."""

    def write(self, request: Collected) -> None:
        """Raises OSError where it cannot be written; what was written before stays valid."""

    def close(self) -> None: ...


def url_of(request: Collected) -> str:
    """The URL of the request, `http://HOST/path?query`. Bytes outside ASCII are decoded as Latin-1."""
    target = request.target.decode("latin-1")
    if target.startswith(("http://", "https://")):
        return target
    path = "" if target == "*" else target
    return f"http://{request.authority.decode('latin-1')}{path}"


def body_of(request: Collected) -> tuple[str, str]:
    """The body as text, and its encoding: `utf-8` or, where it is not UTF-8, `base64`."""
    try:
        return request.body.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(request.body).decode(), "base64"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_line(request: Collected) -> bytes:
    """The request as one JSON object and a newline. docs/reference/recording.md has the table of keys."""
    body, encoding = body_of(request)
    line = {
        "time": _moment(request.time),
        "client": request.client[0],
        "client_port": request.client[1],
        "method": request.method.decode("latin-1"),
        "url": url_of(request),
        "http_version": request.http_version,
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers],
        "body": body,
        "encoding": encoding,
        "bytes": request.size,
        "cut": len(request.body) < request.size,
        "ms": round(request.ms, 3),
    }
    return to_json(line) + b"\n"


class JsonLines:
    """One line a request, appended to the file in one write."""

    def __init__(self, path: Path) -> None:
        self._file = RecordFile(path)

    def write(self, request: Collected) -> None:
        self._file.append(as_line(request))

    def close(self) -> None:
        self._file.close()


class Har:
    """HAR 1.2 in a new file. `status` is that of every response.

    Each entry is written together with the end of the document, in one write, over the end that stood there before. The
    file is a complete document after every entry, also when the process is killed.

    The constructor raises OSError where the file cannot be made; FileExistsError where it exists, because a second
    document cannot be appended to a HAR.
    """

    def __init__(self, path: Path, status: int) -> None:
        self._status = status
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        creator = {"name": "mirror-addon collect", "version": __version__}
        begin = json.dumps({"log": {"version": "1.2", "creator": creator, "entries": []}})
        self._at = 0
        self._separator = b"\n"
        self._append(begin.removesuffix("]}}").encode())

    def _append(self, data: bytes) -> None:
        whole = data + _END
        written = os.pwrite(self._file, whole, self._at)
        while written < len(whole):
            written += os.pwrite(self._file, whole[written:], self._at + written)
        self._at += len(data)

    def write(self, request: Collected) -> None:
        try:
            self._append(self._separator + to_json(self._entry(request)))
        except OSError:
            os.pwrite(self._file, _END, self._at)
            os.ftruncate(self._file, self._at + len(_END))
            raise
        self._separator = b",\n"

    def _entry(self, request: Collected) -> dict[str, Any]:
        url = url_of(request)
        asked: dict[str, Any] = {
            "method": request.method.decode("latin-1"),
            "url": url,
            "httpVersion": request.http_version,
            "cookies": [],
            "headers": [_pair(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers],
            "queryString": [_pair(*each) for each in parse_qsl(urlsplit(url).query, keep_blank_values=True)],
            "headersSize": -1,
            "bodySize": request.size,
        }
        if request.size:
            text, encoding = body_of(request)
            kind = next((value for name, value in request.headers if name.lower() == b"content-type"), b"")
            asked["postData"] = {"mimeType": kind.decode("latin-1"), "text": text, "params": []}
            if encoding == "base64":
                asked["postData"]["_encoding"] = encoding  # HAR 1.2 defines `encoding` for responses only
        return {
            "startedDateTime": _moment(request.time),
            "time": round(request.ms, 3),
            "request": asked,
            "response": {
                "status": self._status,
                "statusText": "",
                "httpVersion": request.http_version,
                "cookies": [],
                "headers": [],
                "content": {"size": 0, "mimeType": "", "text": ""},
                "redirectURL": "",
                "headersSize": -1,
                "bodySize": 0,
            },
            "cache": {},
            "timings": {"send": round(request.ms, 3), "wait": 0, "receive": 0},
            "connection": "{}:{}".format(*request.client),
        }

    def close(self) -> None:
        os.close(self._file)


def _pair(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}
