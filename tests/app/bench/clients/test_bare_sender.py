"""The bare loop of ``send``."""

from __future__ import annotations

import socket

import pytest

from app.bench.bursts import BARE_SENDER
from app.bench.clients.bare_sender import BareSender
from app.bench.clients.helper import Helper
from app.bench.clients.payload import sample_frame
from tests.support.timing import TIME_LIMIT

pytestmark = pytest.mark.slow


def test_sends_the_same_to_all() -> None:
    """Each connection gets each event whole, and pauses do not count as sending."""
    with Helper(BARE_SENDER) as sender:
        clients = [socket.create_connection(("127.0.0.1", sender.call("port"))) for _ in range(2)]
        try:
            sender.call("accept", count=2)
            sent = sender.call("send", events=2, pause=0.5)
            assert 0 < sent["seconds"] < 0.5
            for client in clients:
                client.settimeout(TIME_LIMIT)
                expected = sample_frame().chunked * 2
                assert client.recv(len(expected), socket.MSG_WAITALL) == expected
        finally:
            for client in clients:
                client.close()


def test_a_slow_client_is_waited_for() -> None:
    """Bytes that a client does not read at once are sent later, and none is lost."""
    events = 40_000
    with Helper(BARE_SENDER) as sender:
        client = socket.create_connection(("127.0.0.1", sender.call("port")))
        try:
            client.settimeout(TIME_LIMIT)
            sender.call("accept", count=1)
            sender.begin("send", events=events)
            expected, found = events * len(sample_frame().chunked), 0
            while found < expected:
                found += len(client.recv(1 << 20))
            sender.finish()
            assert found == expected
        finally:
            client.close()


class _FullSocket:
    """A socket whose kernel takes at most three bytes at a time, and every second time none."""

    def __init__(self, writable: socket.socket) -> None:
        self.fileno = writable.fileno
        self.received = b""
        self._calls = 0

    def send(self, data: bytes) -> int:
        """Take a few bytes."""
        self._calls += 1
        if self._calls % 2 == 0:
            raise BlockingIOError
        self.received += data[:3]
        return len(data[:3])


def test_an_event_that_is_sent_in_part_is_sent_whole() -> None:
    """The kernel may take a part of an event; the rest follows before the next event."""
    sender = BareSender()
    near, far = socket.socketpair()
    with near, far:
        full = _FullSocket(near)
        sender._sockets = [full]  # type: ignore[list-item]
        sender.send(events=2)
    sender._listener.close()
    assert full.received == sample_frame().chunked * 2
