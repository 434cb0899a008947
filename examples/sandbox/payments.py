"""A service that others call: `python payments.py 9003`. It counts what it really charges."""

import contextlib
import itertools
import json
import sys
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer

PORT = int(sys.argv[1])
charges: list[dict[str, object]] = []
numbers = itertools.count(1)


class Payments(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.respond(200, {"count": len(charges), "charges": charges})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        charge = {"charge": next(numbers), "amount": asked["amount"]}
        charges.append(charge)
        self.respond(201, charge)

    def respond(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


with contextlib.suppress(KeyboardInterrupt):
    ThreadingHTTPServer(("127.0.0.1", PORT), Payments).serve_forever()
