"""The results of writing a part of a backlog."""

from __future__ import annotations

from gateway_shim.streams.replay.backlog import Backlog
from gateway_shim.streams.replay.progress import Progress
from tests.gateway_shim.following_browser import Browser, following, publish
from tests.gateway_shim.hub_errors import soon


def test_progress() -> None:
    """One call writes one range; the client takes all of it or not; in the end nothing is left."""
    with following() as running:
        browser = Browser(running, send_buffer=4096)
        publish(running, "first", "x" * 300_000, "last")
        connection = running.gateway._streams.by_token[browser.visit.token]
        assert connection.write_backlog() is Progress.BLOCKED
        connection.watch()
        soon(lambda: len(browser.texts) == 3, "all events")
        place = running.gateway._following._delivery  # type: ignore[union-attr]
        soon(lambda: connection.backlog is None, "the stream to be live")
        connection.set_backlog(Backlog(place, connection.stream, 0))
        connection.backlog.put_first(b"")  # type: ignore[union-attr]
        seen = []
        while not seen or seen[-1] is not Progress.EMPTY:
            seen.append(connection.write_backlog())
            browser.read()
        assert Progress.BLOCKED in seen
        connection.go_live()
