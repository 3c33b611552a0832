"""The servers that are measured."""

from __future__ import annotations

import os
import sys

import pytest

from app.bench.errors import BenchFailed
from app.bench.measured.server import Monolith, Server, gateway
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


def test_monolith() -> None:
    """The backend runs as users run it, with the bench's task; its worker is another process."""
    with Monolith() as server:
        assert server.worker != server._process.pid
        task_id = server.start_burst(2, result_bytes=3)
        assert server.burst_result(task_id)["filling"] == "..."
        assert server.metric("sse_gateway_active_connections") == 0
        with pytest.raises(BenchFailed, match="/metrics has no nonsense"):
            server.metric("nonsense")
        with pytest.raises(BenchFailed, match="the task could not be started"):
            server.start_burst(-1)
        pid = server._process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_does_not_start() -> None:
    """A server that ends is shown with its last lines, and so is one that cannot be run."""
    command = [sys.executable, "-c", "print('no such luck'); raise SystemExit(4)"]
    with pytest.raises(BenchFailed, match=r"ended with status 4\n  \| no such luck"):
        Server(command, free_port(), {}).__enter__()
    with pytest.raises(BenchFailed, match="no-such-gateway cannot be started: No such file"):
        gateway("no-such-gateway", free_port(), "").__enter__()


def test_other_gateway() -> None:
    """Another gateway's command gets the port and the callback, in its words and environment.

    Whatever comes before its answers is skipped.
    """
    port = free_port()
    command = f"{sys.executable} -c '{ANSWERS}' {{port}} {{callback_url}}"
    with gateway(command, port, "http://b/c") as server:
        status, body = server.request("GET", "/")
        assert (status, body.decode()) == (200, f"http://b/c {port} http://b/c")
        assert server.worker == server._process.pid
