"""Measurements of what the EventSource of Chromium shows of heartbeats and of blocks with an id.

The browser client reads streams with ``fetch``, because an ``EventSource`` shows nothing of them:
a page could not tell a silent stream from a dead one.
"""

from __future__ import annotations

import pytest

from tests.browser.tabs import Browser
from tests.support.http.scripted_server import ScriptedServer, answer, sse_answer

pytestmark = pytest.mark.needs("chromium", "playwright")

BLOCKS = 30
"""The number of heartbeats that the server sends."""

PAGE = b"""<!doctype html><title>blocks</title><link rel="icon" href="data:,"><script>
const seen = [];
const note = (event) => seen.push([event.type, event.data ?? "", event.lastEventId ?? ""]);
const source = new EventSource("/stream");
for (const name of ["open", "message", "error", "heartbeat", "number"])
  source.addEventListener(name, note);
</script>"""


def page() -> bytes:
    """Return the answer with the page."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
    return head % len(PAGE) + PAGE


@pytest.mark.parametrize(
    ("block", "last_id"),
    [
        (b": heartbeat\nid: x-%d\n\n", f"x-{BLOCKS}"),
        (b"id: x-%d\n\n", f"x-{BLOCKS}"),
        (b": heartbeat %d\n\n", "before"),
    ],
    ids=["heartbeat with id", "id alone", "heartbeat"],
)
def test_blocks_without_data(chromium: Browser, block: bytes, last_id: str) -> None:
    """Thirty blocks without data dispatch no event. Their last id is sent back all the same."""
    first = b"retry: 0\nid: before\nevent: number\ndata: 1\n\n"
    blocks = b"".join(block % number for number in range(1, BLOCKS + 1))
    last = b"event: number\ndata: 2\n\n"
    scripts = [answer(page()), sse_answer(first, blocks, last), sse_answer(last)]
    with ScriptedServer(*scripts) as server, chromium.context() as context:
        tab = context.tab(f"http://127.0.0.1:{server.port}/")
        tab.wait_for("seen.filter(([type]) => type === 'number').length >= 3")
        seen = tab.evaluate("seen.slice(0, 6)")
        assert seen == [
            ["open", "", ""],
            ["number", "1", "before"],
            ["number", "2", last_id],
            ["error", "", ""],
            ["open", "", ""],
            ["number", "2", last_id],
        ]
        tab.evaluate("source.close()")
        assert f"\r\nlast-event-id: {last_id}\r\n".encode() in server.requests[2].lower()
