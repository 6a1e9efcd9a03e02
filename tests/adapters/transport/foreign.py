"""A provider as Python's own HTTP server speaks, with HTTP/1.0 by default; see test_foreign.py."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Provider(BaseHTTPRequestHandler):
    """Answers like the other two, and hangs up after each answer."""

    def do_POST(self) -> None:
        """Answer by the path."""
        asked = self.rfile.read(int(self.headers["content-length"]))
        status, body = {
            "/echo": (201, asked),
            "/pieces": (200, b"one two three"),
            "/none": (204, b""),
            "/last": (200, b"bye"),
            "/early": (404, b"no such card"),
        }[self.path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
