"""A gateway as a measured server."""

from __future__ import annotations

import sys

import pytest

from app.bench.errors import BenchFailed
from app.bench.measured.gateway import measured_gateway
from gateway_shim.parity.ports import free_port

ANSWERS = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (os.environ["CALLBACK_URL"] + " " + " ".join(sys.argv[1:])).encode()
        self.send_response_only(103)
        self.end_headers()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def test_a_gateway_that_does_not_start() -> None:
    """A gateway that cannot be run is an error that names its command."""
    with pytest.raises(BenchFailed, match="no-such-gateway cannot be started: No such file"):
        measured_gateway("no-such-gateway", free_port(), "").__enter__()


def test_other_gateway() -> None:
    """The command of another gateway gets the port and the callback URL.

    Both are in its arguments and in its environment. Interim answers are skipped.
    """
    port = free_port()
    command = f"{sys.executable} -c '{ANSWERS}' {{port}} {{callback_url}}"
    with measured_gateway(command, port, "http://b/c") as server:
        status, body = server.request("GET", "/")
        assert (status, body.decode()) == (200, f"http://b/c {port} http://b/c")
        assert server.worker == server._process.pid
