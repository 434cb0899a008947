"""The tutorial's service in both of its versions: `python reviews.py v1 9001`, `python reviews.py v2 9002`."""

import contextlib
import json
import sys
import uuid
from datetime import UTC
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer

VERSION, PORT = sys.argv[1], int(sys.argv[2])


class Reviews(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        product = self.path.rpartition("/")[2]
        document = {
            "requestId": str(uuid.uuid4()),
            "time": datetime.now(UTC).isoformat(),
            "product": product,
            "reviews": [
                {"reviewer": "Ada", "stars": 5, "text": "Reads itself."},
                {"reviewer": "Bob", "stars": 4, "text": "Good."},
            ],
        }
        if VERSION == "v2":
            for review in document["reviews"]:
                review["stars"] = str(review["stars"])  # the defect that the tutorial finds
            document["pod"] = "reviews-v2-7c9f"
        body = json.dumps(document).encode()
        self.send_response_only(200)  # without Server and Date
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


with contextlib.suppress(KeyboardInterrupt):
    ThreadingHTTPServer(("127.0.0.1", PORT), Reviews).serve_forever()
