"""Writing to streams that are behind: a part of each in turn."""

from __future__ import annotations

import gevent
import pytest

from gateway_shim.streams.connection import Connection
from gateway_shim.streams.replay import pump
from gateway_shim.streams.replay.backlog import SEND_BYTES, Backlog
from tests.gateway_shim.following_browser import Browser, following, publish
from tests.gateway_shim.hub_errors import soon


def test_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two streams that are far behind are written to in turn, and others run in between."""
    with following(size=16 << 20) as running:
        turns = []
        monkeypatch.setattr(pump, "let_others_run_if_due", lambda: turns.append(gevent.sleep(0)))
        texts = [f"{number} {'x' * 10_000}" for number in range(60)]
        publish(running, *texts)
        browsers = [Browser(running, "e-0") for _ in range(2)]
        soon(lambda: all(len(browser.texts) == 60 for browser in browsers), "all events")
        assert [browser.texts for browser in browsers] == [texts, texts]
        assert len(turns) >= 2 * len(texts) * 10_000 // SEND_BYTES


def test_a_client_that_leaves_while_behind() -> None:
    """The stream ends, is reported, and leaves nothing behind."""
    with following() as running:
        slow = Browser(running, send_buffer=4096)
        publish(running, *["x" * 50_000] * 10)
        assert running.stats.streams_behind == 1
        slow.close()
        assert running.wait_reason(slow.visit.token) in ("client_closed", "error")
        soon(lambda: running.stats.streams_behind == 0, "the backlog to go")
        publish(running, "1")


def test_an_error_ends_its_stream_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A stream whose backlog cannot be read ends with a log line, and other streams go on."""
    with following() as running:
        broken = Browser(running, send_buffer=4096)
        other = Browser(running, send_buffer=4096)
        publish(running, "x" * 300_000, "last")

        def fail(self: Backlog) -> memoryview:
            if self is backlog:
                raise ValueError
            return head(self)

        backlog = running.gateway._streams.by_token[broken.visit.token].backlog
        head = Backlog.head
        monkeypatch.setattr(Backlog, "head", fail)
        broken.read()
        assert running.wait_reason(broken.visit.token) == "error"
        other.wait_for("last")
        assert "a stream that is behind is ended by an error" in caplog.messages


def test_the_streams_that_wait_are_not_forgotten_after_an_error() -> None:
    """A pump that is started again goes on with the streams that were queued before the error."""
    with following() as running:
        streams = running.gateway._streams
        first, second = (streams.by_token[Browser(running).visit.token] for _ in range(2))
        log = streams.log
        assert log is not None
        for connection in (first, second):
            connection.set_backlog(Backlog(log, connection.stream, log.completed))
        written: list[Connection] = []

        def caught_up(connection: Connection) -> None:
            written.append(connection)
            connection.go_live()
            if connection is first:
                raise RuntimeError("unexpected")

        one = pump.Pump(streams.fail, caught_up)
        one.add(first)
        one.add(second)
        with pytest.raises(RuntimeError, match="unexpected"):
            one.run()
        again = gevent.spawn(one.run)
        soon(lambda: written == [first, second], "the second stream")
        again.kill()
