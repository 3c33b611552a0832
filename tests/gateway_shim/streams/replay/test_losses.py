"""Tests of the streams of a process that has lost entries of the log."""

from __future__ import annotations

from gevent.event import Event as Signal

from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import MemoryLog
from gateway_shim.protocol.event_stream import Event
from gateway_shim.streams.replay.losses import put_behind, restart_all
from gateway_shim.streams.replay.marks import Resync
from tests.gateway_shim.following_browser import Browser, following, publish
from tests.gateway_shim.hub_errors import soon
from tests.gateway_shim.running_gateway import RunningGateway


def test_put_behind() -> None:
    """All live streams read the log themselves; nothing was lost, so they are live again."""
    with following() as running:
        log = running.gateway._following
        assert log is not None
        delivery = log._delivery
        browsers = [Browser(running), Browser(running)]
        publish(running, "1")
        put_behind(running.gateway._streams, delivery, delivery.pump)
        assert running.stats.streams_behind == 2
        soon(lambda: running.stats.streams_behind == 0, "the streams to be live")
        publish(running, "2")
        assert [browser.texts for browser in browsers] == [["1", "2"]] * 2
        assert running.stats.resyncs.total() == 0


def test_restart_all() -> None:
    """All open streams are told of a new epoch, once; one that is connecting is not."""
    log = MemoryLog(LogLimits(1 << 20), epoch="e")
    with RunningGateway(open_log=lambda: log) as running:
        browser = Browser(running)
        publish(running, "1")
        gate = Signal()
        running.backend.during = lambda token: gate.wait()
        running.visit()
        soon(lambda: running.stats.pending_connects == 1, "the second stream to connect")
        following = running.gateway._following
        assert following is not None
        delivery = following._delivery
        event = delivery._marks.resync(Resync.UNKNOWN, delivery.cursor)
        assert restart_all(running.gateway._streams, delivery, delivery.pump, event) == 1
        soon(lambda: browser.blocks[-1].name == "resync", "the event")
        soon(lambda: running.stats.streams_behind == 0, "the stream to be live")
        running.gateway.publish(Event("n", "2"))
        assert [block.name for block in browser.blocks] == ["", "n", "resync", "n"]
        gate.set()
