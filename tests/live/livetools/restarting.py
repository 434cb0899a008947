"""A server in a process of its own that restarts: by itself, or under a supervisor that keeps its socket, as
`uvicorn --reload` and Flask's reloader do."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from livetools.recorder import PATIENCE

_PROGRAM = """
import http.server, json, pathlib, socket, sys
folder, descriptor = pathlib.Path(sys.argv[1]), int(sys.argv[2])
answers = json.loads((folder / "answers.json").read_text())  # as code: read when the program starts

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps(answers.get(self.path, {"ok": True})).encode()
        self.send_response_only(200)  # without Server and Date
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        with (folder / "log").open("a") as log:
            log.write(f"{self.command} {self.path}\\n")

    do_POST = do_GET

    def log_message(self, *arguments):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

server = Server(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=descriptor)
server.server_activate()
print("ready", flush=True)
server.serve_forever()
"""


class RestartingServer:
    """Use it as a context manager. `answers` are JSON bodies by path, and become true with the next start."""

    def __init__(self, folder: Path, answers: Mapping[str, object], *, keeps_socket: bool = False) -> None:
        folder.mkdir()
        self._folder = folder
        self._keeps_socket = keeps_socket
        self._place = self._bind(0)
        self.port: int = self._place.getsockname()[1]
        self._socket: socket.socket | None = self._bind(self.port) if keeps_socket else None
        self._process: subprocess.Popen[bytes] | None = None
        self.save(answers)
        self.start()

    def __str__(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._place.close()
        if self._socket is not None:
            self._socket.close()

    @staticmethod
    def _bind(port: int) -> socket.socket:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
        return bound

    def save(self, answers: Mapping[str, object]) -> None:
        """Change what the next process answers."""
        (self._folder / "answers.json").write_text(json.dumps(answers))

    def start(self) -> None:
        """Start the process; return when it listens."""
        listener = self._socket or self._bind(self.port)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(self._folder), str(listener.fileno())],
            stdout=subprocess.PIPE,
            pass_fds=[listener.fileno()],
        )
        if not self._keeps_socket:
            listener.close()
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def stop(self) -> None:
        """End the process at once."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(PATIENCE)
            assert process.stdout is not None
            process.stdout.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    @property
    def log(self) -> list[str]:
        """`GET /path` of each request that any of the processes answered."""
        with contextlib.suppress(FileNotFoundError):
            return (self._folder / "log").read_text().splitlines()
        return []
