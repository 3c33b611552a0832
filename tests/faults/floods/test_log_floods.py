"""Floods of requests that are logged. The log stays small and counts the lines that it left out."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest

from tests.faults.attacks.attack import Attack
from tests.faults.canary.canary import disturbance
from tests.support.http.client import Connection, request_bytes
from tests.support.log_lines import count_lines
from tests.support.processes.server import GunicornServer
from tests.support.timing import wait_until

LOG_BYTES = 100 * 1024
SECONDS = 5
LONG = "x" * 7000

ATTACKS = {
    "bad request": b"GET /" + LONG.encode() + b" NOT-HTTP\r\n\r\n",
    "stream refused": request_bytes("GET", f"/api/sse/stream?request_id=%20&{LONG}"),
    "a stream was denied": request_bytes("GET", f"/api/sse/stream?request_id=a&{LONG}"),
    "the SSE_AUTHORIZE hook failed": request_bytes(
        "GET", f"/api/sse/stream?request_id=fail&{LONG}"
    ),
    "a callback was refused": request_bytes(
        "POST",
        "/api/sse/callback",
        body=json.dumps({"action": LONG, "token": "t", LONG: LONG}).encode(),
        headers=[("Content-Type", "application/json")],
    ),
}
"""Requests, by the log message that each of them causes."""


@pytest.fixture
def server() -> Iterator[GunicornServer]:
    """Start a backend with its default limits and a hook that denies every stream."""
    env = {"FLASK_ENV": "testing", "SSE_AUTHORIZE": "tests.faults.floods.denying_hook:deny"}
    with GunicornServer(env=env) as running:
        yield running


def flood(server: GunicornServer, attacks: list[bytes]) -> int:
    """Send the requests in turn on new connections for five seconds, and return their number."""
    count, deadline = 0, time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        with Connection(server.port) as connection:
            connection.send(attacks[count % len(attacks)])
            connection.socket.shutdown(socket.SHUT_WR)
            while connection.socket.recv(65536):
                pass
        count += 1
    return count


def test_a_flood_of_refusals(server: GunicornServer) -> None:
    """All kinds of lines take less than 100 KB in five seconds, and every line is counted."""
    before = len(server.log)
    count = flood(server, list(ATTACKS.values()))
    assert count > len(ATTACKS) * 2 * 20  # otherwise no limit was reached
    expected = count // len(ATTACKS)
    wait_until(
        lambda: all(count_lines(server.log, message) >= expected for message in ATTACKS),
        lambda: (
            f"{expected} lines of each kind: {[count_lines(server.log, name) for name in ATTACKS]}"
        ),
    )
    written = server.log[before:]
    sizes = {name: sum(len(x) for x in written.splitlines() if name in x) for name in ATTACKS}
    assert len(written) < LOG_BYTES, f"bytes by kind without tracebacks: {sizes}"


def test_bad_requests_disturb_nobody(server: GunicornServer) -> None:
    """Three hundred bad requests per second do not delay others, and the log stays small."""
    before = len(server.log)
    seen = disturbance(server.port, lambda: Attack("bad_requests", server.port))
    assert seen.failed == 0, seen
    assert seen.ratio < 50, seen
    assert len(server.log) - before < LOG_BYTES
