"""Publishing: appended once, delivered here, counted."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import MemoryLog
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.results import Published
from gateway_shim.streams.replay import delivery_pass
from tests.gateway_shim.following_browser import Browser, following
from tests.gateway_shim.running_gateway import RunningGateway
from tests.support.timing import TIME_LIMIT


def test_published() -> None:
    """The result names the entry, and counts the streams that take it."""
    with following() as running:
        assert running.gateway.publish(Event("n", "0")) == Published("e-1", 0)
        browser = Browser(running)
        assert running.gateway.publish(Event("n", "1")) == Published("e-2", 1)
        assert running.gateway.last_event_id == "e-2"
        assert running.stats.broadcasts == 2
        assert browser.texts == ["1"]


def test_many_publishers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Greenlets and threads publish at once: all streams see one order, each sender's own kept."""
    with following() as running:
        browsers = [Browser(running) for _ in range(3)]
        monkeypatch.setattr(delivery_pass, "YIELD_EVERY", 1)
        monkeypatch.setattr(delivery_pass, "let_others_run_if_due", lambda: gevent.sleep(0))
        counts = []

        def send(name: str) -> None:
            for number in range(20):
                counts.append(running.gateway.publish(Event("n", f"{name}{number}")).delivered)

        thread = gevent.get_hub().threadpool.spawn(send, "t")
        gevent.joinall([thread, *(gevent.spawn(send, name) for name in "abc")], raise_error=True)
        seen = [browser.texts for browser in browsers]
        assert seen[0] == seen[1] == seen[2]
        assert counts == [3] * 80
        for name in "abct":
            assert [text for text in seen[0] if text[0] == name] == [
                f"{name}{n}" for n in range(20)
            ]


class FullLog(MemoryLog):
    """A log that takes nothing more."""

    is_full = False

    def append(self, audience: str, event: bytes) -> int:
        """Append, or refuse."""
        if self.is_full:
            raise LogUnavailable("no space")
        return super().append(audience, event)


def test_a_log_that_takes_nothing() -> None:
    """The caller is told, nobody gets the event, and the next one arrives."""
    log = FullLog(LogLimits(1 << 20), epoch="e")
    with RunningGateway(open_log=lambda: log) as running:
        browser = Browser(running)
        log.is_full = True
        with pytest.raises(LogUnavailable):
            running.gateway.publish(Event("n", "1"))
        log.is_full = False
        assert running.gateway.publish(Event("n", "2")) == Published("e-1", 1)
        assert browser.texts == ["2"]


class BusyLog(MemoryLog):
    """A log to which a publisher must wait to append: another process is slow."""

    def __init__(self) -> None:
        super().__init__(LogLimits(1 << 20), epoch="e")
        self.gate = Signal()

    def append(self, audience: str, event: bytes) -> int:
        """Append, once the gate is open."""
        self.gate.wait()
        return super().append(audience, event)

    def append_elsewhere(self) -> None:
        """Append as another process does."""
        super().append("*", b"event: n\ndata: theirs\n\n")


def test_entries_of_others_while_a_publisher_waits() -> None:
    """A publisher that waits to append does not delay what another process has appended."""
    log = BusyLog()
    with RunningGateway(open_log=lambda: log) as running:
        browser = Browser(running)
        publisher = gevent.spawn(running.gateway.publish, Event("n", "ours"))
        gevent.sleep(0)
        gevent.get_hub().loop.run_callback(log.append_elsewhere)
        browser.wait_for("theirs")
        log.gate.set()
        assert publisher.get(timeout=TIME_LIMIT) == Published("e-2", 1)
        assert browser.texts == ["theirs", "ours"]


def test_without_a_log() -> None:
    """A gateway without a log, or one that was not started, publishes to nobody."""
    with RunningGateway() as running:
        assert not running.gateway.replays
        assert running.gateway.last_event_id is None
        assert running.gateway.publish(Event("n", "1")) == Published("", 0)
    assert following().gateway.replays
    assert following().gateway.publish(Event("n", "1")) == Published("", 0)
