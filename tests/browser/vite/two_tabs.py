"""Checks of two tabs that show the same page: how they share the stream, and what they get."""

from __future__ import annotations

from tests.browser.tabs import Context, Tab
from tests.support.backend_client import active_streams, metric, start_task
from tests.support.processes.server import Server
from tests.support.timing import wait_until

__all__ = ["check_two_tabs"]

_CONNECTS = 'sse_gateway_connections_total{action="connect"}'

_NOTE_END = (
    "id => { stream.task(id).finished.then((event) => { window.end = event.event_type; }); }"
)


def check_two_tabs(context: Context, url: str, server: Server, sharing: str) -> list[Tab]:
    """Open a page in two tabs, and check that both get the version and a task's last event.

    The page has the connection in its global variable ``stream``.

    Args:
        context: the browser context of the tabs.
        url: the URL of the page.
        server: the backend. It must have no streams.
        sharing: the expected ``sharing`` of both connections. It also says how many streams the
            server must have: one, or with ``direct`` one for each tab.

    Returns:
        The tabs.
    """
    wait_until(lambda: active_streams(server) == 0, "the streams of the test before to end")
    before = metric(server, _CONNECTS)
    tabs = [context.tab(url) for _ in range(2)]
    for tab in tabs:
        tab.wait_for("window.stream && stream.state === 'open' && stream.version")
    task = start_task(server, "demo_task", steps=2, delay=0)
    for tab in tabs:
        tab.evaluate(_NOTE_END, task)
    for tab in tabs:
        tab.wait_for("window.end")
        assert tab.evaluate("[stream.sharing, window.end]") == [sharing, "task_completed"]
    streams = 2 if sharing == "direct" else 1
    assert (active_streams(server), metric(server, _CONNECTS) - before) == (streams, streams)
    assert len({tab.evaluate("stream.requestId") for tab in tabs}) == streams
    return tabs
