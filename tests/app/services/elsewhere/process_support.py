"""Connection managers in several processes of a server, over fakes."""

from __future__ import annotations

import pytest

from app.services.connection_manager import ConnectionManager
from tests.app.services.conftest import (
    RecordingMetrics,
    RecordingPublisher,
    RecordingTransport,
)
from tests.support.peers import PeerGroup

__all__ = ["Process", "group", "pair"]


class Process:
    """A connection manager in a process of a group.

    Attributes:
        open: the tokens of the streams that the gateway has. A stream that is closed is not among
            them.
        is_opening: True while the gateway still has streams that it was told to close, because it
            opens them first.
        now: the time, seconds; a test may change it.
    """

    def __init__(self, group: PeerGroup, name: str) -> None:
        self.peers = group.join(name)
        self.transport = RecordingTransport()
        self.metrics = RecordingMetrics()
        self.publisher = RecordingPublisher()
        self.publisher.streams = 0
        self.open: set[str] = set()
        self.is_opening = False
        self.now = 0.0
        self.manager = ConnectionManager(
            self.transport,
            self.metrics,
            holds=self.holds,
            publisher=self.publisher,
            peers=self.peers,
            clock=lambda: self.now,
        )

    def holds(self, token: str) -> bool:
        """Return whether the gateway has a stream."""
        return token in self.open and (self.is_opening or token not in self.transport.closed)

    def connect(self, request_id: str, token: str, user: str | None = None) -> None:
        """Open a stream in this process."""
        self.open.add(token)
        try:
            self.manager.on_connect(request_id, token, "/", user)
        except BaseException:
            self.open.discard(token)
            raise

    def leave(self, token: str) -> None:
        """End a stream of this process from the browser's side."""
        self.open.discard(token)
        self.manager.on_disconnect(token)

    @property
    def streams(self) -> dict[str, str]:
        """The tokens of the registered streams by request id."""
        return {request_id: stream.token for request_id, stream in self.manager.registered()}


@pytest.fixture
def group() -> PeerGroup:
    """Return a server."""
    return PeerGroup()


def pair(group: PeerGroup) -> tuple[Process, Process]:
    """Return two processes."""
    return Process(group, "a"), Process(group, "b")
