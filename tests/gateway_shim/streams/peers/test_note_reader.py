"""Tests of the entries that are for this process and not for its streams."""

from __future__ import annotations

import socket

from gateway_shim.event_log.audience import NOTES
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import MemoryLog
from gateway_shim.protocol.event_stream import BodyFraming, Event
from gateway_shim.protocol.results import OpenResult
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.peers.peers import Peers
from tests.gateway_shim.following_browser import Block, Browser, publish
from tests.gateway_shim.hub_errors import soon
from tests.gateway_shim.running_gateway import RunningGateway


class Reader(Peers):
    """A reader that keeps what it gets, and how far the gateway was then.

    Args:
        running: the gateway.
    """

    def __init__(self, running: RunningGateway) -> None:
        super().__init__()
        self._running = running
        self.read: list[tuple[bytes, str | None]] = []
        self.missed = 0

    def noted(self, data: bytes) -> None:
        """Keep a note."""
        self.read.append((data, self._running.gateway.last_event_id))

    def notes_missed(self) -> None:
        """Count the call."""
        self.missed += 1


def reading(size: int = 1 << 20, **config: float) -> tuple[RunningGateway, Reader, MemoryLog]:
    """Return a gateway, its reader, and its log, to which other processes append, too."""
    log = MemoryLog(LogLimits(size), epoch="e")
    running = RunningGateway(open_log=lambda: log, **config)
    running.gateway.peers = reader = Reader(running)
    return running, reader, log


def test_in_the_order_of_events() -> None:
    """A note is read between the events before and after it. No stream gets a byte of it."""
    gateway, reader, log = reading()
    with gateway as running:
        browser = Browser(running)
        publish(running, "1")
        log.append(NOTES, b"note 2")
        log.append(NOTES, b"id: e-9\ndata: note 3\n\n")
        publish(running, "4")
        assert reader.read == [(b"note 2", "e-1"), (b"id: e-9\ndata: note 3\n\n", "e-2")]
        assert browser.blocks == [
            Block("e-0"),
            Block("e-1", "n", "1"),
            Block("e-4", "n", "4"),
        ]
        (info,) = running.gateway.list_streams()
        assert (info.events, info.events_behind, info.bytes_behind) == (2, 0, 0)


def test_nobody_publishes() -> None:
    """A note is read although nobody here publishes, and completes its position."""
    gateway, reader, log = reading()
    with gateway as running:
        browser = Browser(running)
        log.append(NOTES, b"1")
        soon(lambda: running.gateway.last_event_id == "e-1", "the note")
        assert reader.read == [(b"1", "e-0")]
        assert Browser(running).blocks[0].id == "e-1"
        assert browser.texts == []


def test_notes_while_a_stream_opens() -> None:
    """Notes that nobody has read yet are no reason to be behind. Storms are full of them."""
    gateway, reader, log = reading()

    def during(_: str) -> None:
        publish(running, "1")
        log.append(NOTES, b"2")
        soon(lambda: len(reader.read) == 1, "the first note")
        log.append(NOTES, b"3")

    client, server = socket.socketpair()
    with client, server, gateway as running:
        running.backend.during = during
        request = StreamRequest("/events", {}, BodyFraming.CHUNKED, "192.0.2.1")
        assert running.gateway.open(request, server) is OpenResult.OPENED
        assert running.gateway.last_event_id == "e-2"
        assert running.stats.streams_behind == 0
        publish(running, "4")
        received = client.recv(65536)
        assert [received.count(b"id: e-%d\n" % number) for number in range(5)] == [1, 1, 0, 0, 1]


def test_heartbeats_pass_notes() -> None:
    """The cursor of an idle browser does not grow old while processes tell each other much."""
    gateway, _, log = reading(heartbeat_interval=0.05)
    with gateway as running:
        browser = Browser(running)
        log.append(NOTES, b"1")
        soon(lambda: browser.blocks and browser.blocks[-1].id == "e-1", "the heartbeat")
        assert [block.name for block in browser.blocks] == [""] * len(browser.blocks)


def test_streams_that_are_behind() -> None:
    """A replay, and a slow reader, skip notes and become live."""
    gateway, reader, log = reading(1 << 22)
    with gateway as running:
        slow = Browser(running, send_buffer=4096)
        texts = [f"{number} {'x' * 500}" for number in range(300)]
        for text in texts:
            log.append(NOTES, b"note")
            publish(running, text)
        for _ in range(1500):
            log.append(NOTES, b"note")
        soon(lambda: len(reader.read) == 1800, "the notes")
        assert Browser(running, "e-0").wait_for(texts[-1])
        assert slow.wait_for(texts[-1])
        assert slow.texts == texts
        soon(lambda: running.stats.streams_behind == 0, "the streams to be live")
        assert running.gateway.publish(Event("n", "live")).delivered == 2
        assert running.stats.resyncs.total() == 0


def test_missed() -> None:
    """The reader is told when entries are trimmed before they are delivered, and of new epochs."""
    gateway, reader, log = reading(1 << 16)
    with gateway as running:
        for _ in range(200):
            log.append(NOTES, b"x" * 1000)
        soon(lambda: running.gateway.last_event_id == "e-200", "the notes")
        assert reader.missed == 1
        log.epoch = "f"
        assert running.gateway.publish(Event("n", "1")).id == "f-201"
        assert reader.missed == 2
        log.append(NOTES, b"last")
        soon(lambda: running.gateway.last_event_id == "f-202", "the note of the new epoch")
        assert reader.read == [(b"last", "f-201")]
