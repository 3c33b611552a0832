"""The streams that wait to become live."""

from __future__ import annotations

from gateway_shim.streams.connection import Connection
from gateway_shim.streams.replay.backlog import Backlog
from gateway_shim.streams.replay.joiners import Joiners
from tests.gateway_shim.following_browser import Browser, following, publish


def test_settle() -> None:
    """A stream becomes live where its process is; one that is ahead waits; others are written."""
    with following() as running:
        publish(running, "1", "2")
        log = running.gateway._streams.log
        assert log is not None
        browsers = [Browser(running) for _ in range(4)]
        ended, here, behind, ahead = (
            running.gateway._streams.by_token[browser.visit.token] for browser in browsers
        )
        written: list[Connection] = []
        joiners = Joiners(written.append)
        for connection, position in ((here, 2), (behind, 1), (ahead, 3)):
            connection.set_backlog(Backlog(log, connection.stream, position))
        for connection in (ended, here, behind, ahead):
            joiners.add(connection)
        joiners.settle(2)
        assert (ended.backlog, here.backlog) == (None, None)
        assert written == [behind]
        assert len(joiners) == 1
        joiners.settle(3)
        assert (ahead.backlog, len(joiners)) == (None, 0)
        joiners.add(behind)
        joiners.clear()
        assert len(joiners) == 0
