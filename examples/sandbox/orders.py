"""A service that calls another one: `python orders.py v1 9001 http://127.0.0.1:9003`, and the same with v2 and 9002.

It calls payments, at the URL given, through the proxy that HTTP_PROXY names, and forwards the id of the request that it
handles.
"""

import contextlib
import json
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer

VERSION, PORT, PAYMENTS = sys.argv[1], int(sys.argv[2]), sys.argv[3]
PRICE = 10
FORWARDED = ("x-request-id", "traceparent")


class Orders(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        quantity = asked["quantity"]
        amount = quantity * PRICE
        if VERSION == "v2" and quantity >= 5:
            amount -= PRICE  # the defect that the tutorial finds: one is free, and nobody said so
        status, charge = self.call("POST", "/charges", {"amount": amount, "currency": "EUR"})
        self.respond(201 if status == 201 else 502, {"quantity": quantity, "charge": charge.get("charge")})

    def call(self, method: str, path: str, document: object) -> tuple[int, dict[str, object]]:
        fields = {name: self.headers[name] for name in FORWARDED if name in self.headers}
        body = json.dumps(document).encode()
        request = urllib.request.Request(PAYMENTS + path, body, fields | {"Content-Type": "application/json"})
        request.method = method
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            return error.code, {}

    def respond(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


with contextlib.suppress(KeyboardInterrupt):
    ThreadingHTTPServer(("127.0.0.1", PORT), Orders).serve_forever()
