"""Backends that take their time over a connect, and browsers that all come back at once.

    python -m tests.faults.slow_backend answer PORT       a backend for a gateway on a port
    python -m tests.faults.slow_backend reconnect PORT N  N requests for a stream, then silence

:func:`authorize` is an ``SSE_AUTHORIZE`` hook that is as slow.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import gevent
from gevent.pywsgi import WSGIServer

__all__ = ["SECONDS", "authorize", "reconnecting"]

ROOT = Path(__file__).resolve().parents[2]

SECONDS = 4.5
"""How long an answer takes; after five seconds a gateway would not wait any more."""

_A_SECOND = 1000
"""So many browsers a second come back after a shutdown."""

_AT_ONCE = 10


def authorize(request_id: str, url: str, headers: object) -> None:
    """Let everybody in, late, but for the request id ``quick``."""
    if request_id != "quick":
        gevent.sleep(SECONDS)


@contextlib.contextmanager
def reconnecting(port: int, browsers: int) -> Iterator[None]:
    """Have browsers ask for streams from a process of their own; all have asked when entered."""
    command = [*(sys.executable, "-m", "tests.faults.slow_backend", "reconnect")]
    command += [str(port), str(browsers)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "all have asked\n"
        try:
            yield
        finally:
            process.kill()


def _reconnect(port: int, browsers: int) -> None:
    connections = []
    for number in range(browsers):
        connections.append(socket.create_connection(("127.0.0.1", port)))
        target = f"/api/sse/stream?request_id={number}"
        connections[-1].sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        if number % _AT_ONCE == 0:
            gevent.sleep(_AT_ONCE / _A_SECOND)
    print("all have asked", flush=True)
    sys.stdin.read()
    gevent.sleep(3600)


def _answer(port: int) -> None:
    def application(environ: dict[str, object], start_response: object) -> list[bytes]:
        body = environ["wsgi.input"].read()  # type: ignore[attr-defined]
        if b"request_id=quick" not in body:
            gevent.sleep(SECONDS)
        start_response("200 OK", [("Content-Type", "application/json")])  # type: ignore[operator]
        return [b"{}"]

    WSGIServer(("127.0.0.1", port), application, log=None, backlog=4096).serve_forever()


if __name__ == "__main__":
    what, at, *rest = sys.argv[1:]
    if what == "answer":
        _answer(int(at))
    else:
        _reconnect(int(at), *map(int, rest))
