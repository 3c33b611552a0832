"""A gateway's log: its background work, and its counters."""

from __future__ import annotations

import pytest

from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import MemoryLog
from gateway_shim.streams.replay import following as module
from tests.gateway_shim.following_browser import Block, Browser, following, publish
from tests.gateway_shim.hub_errors import soon
from tests.gateway_shim.running_gateway import RunningGateway


def test_counters() -> None:
    """The counters tell how long the log is, and who is how far behind."""
    with following() as running:
        slow = Browser(running, send_buffer=4096)
        publish(running, "x" * 400_000, "y" * 100)
        stats = running.stats
        assert stats.log is not None
        assert (stats.log.oldest, stats.log.newest, stats.log.in_memory) == (0, 2, True)
        assert stats.streams_behind == 1
        assert 400_000 < stats.bytes_behind <= stats.log.size
        slow.wait_for("y" * 100)
        soon(lambda: running.stats.streams_behind == 0, "the stream to be live")
        assert running.stats.bytes_behind == 0


def test_streams_that_are_far_behind() -> None:
    """Streams that are more than 1 MiB behind are counted, wherever the log begins."""
    with following(size=8 << 20) as running:
        Browser(running, send_buffer=4096)
        publish(running, *["x" * 200_000] * 6)
        assert running.stats.streams_far_behind == 1
        Browser(running, send_buffer=4096)  # it begins later
        publish(running, *["x" * 200_000] * 5)
        assert (running.stats.streams_behind, running.stats.streams_far_behind) == (2, 1)
        publish(running, "x" * 200_000)
        assert running.stats.streams_far_behind == 2
        publish(running, *["x" * 200_000] * 60)  # what the streams need is trimmed
        stats = running.stats
        assert stats.log is not None
        assert stats.log.oldest > 6
        assert stats.streams_far_behind == 2


def test_old_entries_go_without_new_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries that are too old go now and then, also if nothing is published."""
    monkeypatch.setattr(module, "_EXPIRE_SECONDS", 0.01)
    now = [0.0]
    log = MemoryLog(LogLimits(1 << 20, seconds=80), clock=lambda: now[0])
    with RunningGateway(open_log=lambda: log) as running:
        for now[0] in (0.0, 11.0, 22.0):
            publish(running, "x")
        assert log.oldest == 0
        now[0] = 92.0
        soon(lambda: log.oldest > 1, "the oldest entries to go")
        assert log.newest == 3


class Renewed(MemoryLog):
    """A log that finds a new epoch when it looks for old entries."""

    def expire(self) -> None:
        """Begin a new epoch, and tell nobody."""
        self.epoch = "f"


def test_a_new_epoch_is_told_without_new_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients are told of a new epoch at once, also if nothing is published."""
    monkeypatch.setattr(module, "_EXPIRE_SECONDS", 0.01)
    log = Renewed(LogLimits(1 << 20), epoch="e")
    with RunningGateway(open_log=lambda: log) as running:
        browser = Browser(running)
        block = Block("f-0", "resync", '{"reason":"unknown"}')
        soon(lambda: block in browser.blocks, "the resync")


def test_close() -> None:
    """The log is closed with the gateway, after the streams have ended."""
    closed = []

    class Closing(MemoryLog):
        def close(self) -> None:
            closed.append(running.gateway.active)

    running = RunningGateway(open_log=lambda: Closing(LogLimits()))
    with running:
        running.open_raw = Browser(running)  # type: ignore[attr-defined]
    assert closed == [0]
