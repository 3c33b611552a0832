"""A stream that is read without parsing, because Python parses more slowly than a browser."""

from __future__ import annotations

import re
import uuid
from typing import Self

import gevent

from tests.support.http.client import Connection, request_bytes
from tests.support.timing import wait_until

__all__ = ["RawStream"]


class RawStream:
    """A context manager that opens a stream and keeps its bytes.

    Args:
        port: the port of the server.

    Attributes:
        received: all bytes so far.
        has_ended: True if the server has ended the stream.
    """

    def __init__(self, port: int) -> None:
        self.received = bytearray()
        self.has_ended = False
        self._port = port

    def __enter__(self) -> Self:
        """Open the stream."""
        self._connection = Connection(self._port)
        target = f"/api/sse/stream?request_id={uuid.uuid4()}"
        self._connection.send(request_bytes("GET", target))
        self._connection.socket.settimeout(None)
        self._greenlet = gevent.spawn(self._read)
        wait_until(lambda: b"event: version" in self.received, "the stream to open")
        return self

    def __exit__(self, *error: object) -> None:
        """Close the stream."""
        self._greenlet.kill()
        self._connection.close()

    def reports(self) -> dict[bytes, list[int]]:
        """Return the numbers of the reports of each task, in the order of arrival."""
        found: dict[bytes, list[int]] = {}
        pattern = rb'"task_id":"([^"]+)","timestamp":"[^"]+","data":{"text":"report ([0-9]+)"'
        for task_id, number in re.findall(pattern, self.received):
            found.setdefault(task_id, []).append(int(number))
        return found

    def steps(self, task_id: str) -> list[int]:
        """Return the numbers of the steps of a demo task, in the order of arrival."""
        pattern = rb'"task_id":"%s","timestamp":"[^"]+","data":{"text":"Step ([0-9]+) of '
        return [int(number) for number in re.findall(pattern % task_id.encode(), self.received)]

    def has_completed(self, task_id: str) -> bool:
        """Return True if the last event of a task has arrived."""
        return b'"event_type":"task_completed","task_id":"%s"' % task_id.encode() in self.received

    def _read(self) -> None:
        while more := self._connection.socket.recv(1 << 20):
            self.received += more
        self.has_ended = True
