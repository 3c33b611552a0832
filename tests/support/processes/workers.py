"""Requests to a certain worker of a server with several workers, which share one port."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from tests.support.http.client import Connection, request_bytes
from tests.support.http.message import Response
from tests.support.http.stream import Stream
from tests.support.processes.server import Server
from tests.support.timing import wait_until

__all__ = ["EachWorker", "connections_of"]


def connections_of(pid: int, port: int, client: int | None = None) -> int:
    """Return how many connections that arrived at a port a process has.

    Args:
        pid: the process.
        port: the port.
        client: the port of the one client to count; None: all.
    """
    table = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in table]
    established = {
        f"socket:[{row[9]}]"
        for row in rows
        if row[3] == "01" and _port(row[1]) == port and (client is None or _port(row[2]) == client)
    }
    count = 0
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):  # it was closed meanwhile
            count += os.readlink(f"/proc/{pid}/fd/{descriptor}") in established
    return count


class EachWorker:
    """Requests to a certain worker. Idle connections to all workers are kept for the next ones.

    Start the server with a long KEEP_ALIVE_SECONDS, and call :meth:`close` at the end.

    Args:
        server: the server.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._idle: defaultdict[int, list[Connection]] = defaultdict(list)

    def ask(
        self,
        pid: int,
        method: str,
        target: str,
        json_body: Any = None,
        *,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Response:
        """Send a request to a worker, and read the whole response."""
        body = b"" if json_body is None else json.dumps(json_body).encode()
        lines = [*headers, ("Content-Type", "application/json")] if body else list(headers)
        connection = self._take(pid)
        self._idle[pid].append(connection)
        connection.send(request_bytes(method, target, lines, body))
        return connection.read_response(method)

    def stream(self, pid: int, request_id: str, headers: Sequence[tuple[str, str]] = ()) -> Stream:
        """Open a stream of a worker, and wait for its first version."""
        connection = self._take(pid)
        target = f"/api/sse/stream?request_id={request_id}"
        connection.send(request_bytes("GET", target, list(headers)))
        stream = Stream(connection, connection.read_head(), lone_ids=True)
        stream.wait_for("version")
        return stream

    def close(self) -> None:
        """Close the idle connections."""
        for connection in chain(*self._idle.values()):
            connection.close()

    def _take(self, pid: int) -> Connection:
        """Return an open connection to a worker, which is not idle any more."""
        while True:
            # The balance of the workers sends each of them one of some new connections.
            wait_until(lambda: self._idle[pid] or self._dial(), f"a connection to worker {pid}")
            connection = self._idle[pid].pop()
            connection.socket.settimeout(0)
            try:
                is_closed = not connection.socket.recv(1, socket.MSG_PEEK)
            except OSError as exc:
                is_closed = not isinstance(exc, BlockingIOError)
            if not is_closed:
                return connection
            connection.close()

    def _dial(self) -> None:
        connection = Connection(self._server.port)
        own = connection.socket.getsockname()[1]
        connection.send(request_bytes("GET", "/healthz"))
        assert connection.read_response().status == 200
        for pid in self._server.worker_pids():
            if connections_of(pid, self._server.port, own):
                self._idle[pid].append(connection)
                return
        connection.close()  # its worker has ended


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)
