"""A stream that is read as fast as a browser reads it: parsing each event takes Python too long."""

from __future__ import annotations

import re
import socket
import uuid
from typing import Self

import gevent

from tests.support.timing import wait_until

__all__ = ["Reader"]


class Reader:
    """A context manager: a stream whose bytes are kept as they are.

    Attributes:
        received: all bytes so far.
        has_ended: whether the server has ended the stream.
    """

    def __init__(self, port: int) -> None:
        self.received = bytearray()
        self.has_ended = False
        self._port = port

    def __enter__(self) -> Self:
        """Open the stream."""
        self._socket = socket.create_connection(("127.0.0.1", self._port))
        target = f"/api/sse/stream?request_id={uuid.uuid4()}"
        self._socket.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        self._greenlet = gevent.spawn(self._read)
        wait_until(lambda: b"event: version" in self.received, "the stream to open")
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self._greenlet.kill()
        self._socket.close()

    def reports(self) -> dict[bytes, list[int]]:
        """Return the numbers of each task's reports, in the order of their arrival."""
        found: dict[bytes, list[int]] = {}
        pattern = rb'"task_id":"([^"]+)","timestamp":"[^"]+","data":{"text":"report ([0-9]+)"'
        for task_id, number in re.findall(pattern, self.received):
            found.setdefault(task_id, []).append(int(number))
        return found

    def steps(self, task_id: str) -> list[int]:
        """Return the numbers of a demo task's steps, in the order of their arrival."""
        pattern = rb'"task_id":"%s","timestamp":"[^"]+","data":{"text":"Step ([0-9]+) of '
        return [int(number) for number in re.findall(pattern % task_id.encode(), self.received)]

    def has_completed(self, task_id: str) -> bool:
        """Return whether the last event of a task has arrived."""
        return b'"event_type":"task_completed","task_id":"%s"' % task_id.encode() in self.received

    def _read(self) -> None:
        while more := self._socket.recv(1 << 20):
            self.received += more
        self.has_ended = True
