"""The page Streams in Chromium, with hundreds of streams."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.browser.console.page_text import complaints, texts
from tests.browser.tabs import Browser, Context, Tab
from tests.support.backend_client import connect
from tests.support.http.client import request
from tests.support.http.stream import Stream
from tests.support.processes.server import GunicornServer, Server, ServeServer
from tests.support.timing import wait_until

pytestmark = pytest.mark.needs("chromium", "playwright")

STREAMS = 350
HOSTILE = "<b>x\u202ey"
ENCODED = "%3Cb%3Ex%E2%80%AEy"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Start a server."""
    with ServeServer() as server:
        yield server


@pytest.fixture(scope="module")
def streams(server: Server) -> Iterator[dict[str, Stream]]:
    """Open the streams, all of which have got their version."""
    names = [f"s{number:03}" for number in range(STREAMS - 1)] + [ENCODED]
    with ExitStack() as stack:
        opened = {name: stack.enter_context(connect(server, name)) for name in names}
        for stream in opened.values():
            stream.wait_for(lambda event: event.type == "version")
        yield opened


@pytest.fixture(scope="module")
def context(chromium: Browser) -> Iterator[Context]:
    """Open a browser context, whose tabs share one stream."""
    with chromium.context() as context:
        yield context


@pytest.fixture
def tab(context: Context, server: Server, streams: dict[str, Stream]) -> Iterator[Tab]:
    """Open the page, and wait until it shows the streams."""
    tab = context.tab(f"{server.url}/console/streams")
    tab.wait_for("document.querySelector('#connection').textContent === 'open'")
    tab.wait_for("document.querySelectorAll('#rows tr').length === 100")
    yield tab
    assert complaints(tab) == []
    tab.close()


def publish(server: Server, name: str, request_id: str) -> None:
    """Publish an event by the API of the page Events."""
    body = {"name": name, "data": {}, "request_id": request_id}
    response = request(server.port, "POST", "/console/api/events", json_body=body)
    assert response.status == 200, response.body


def shown(tab: Tab) -> list[str]:
    """Return the request ids of the rows."""
    return texts(tab, "#rows bdi")


def first_is(tab: Tab, request_id: str) -> None:
    """Wait until a stream is in the first row."""
    tab.wait_for("name => document.querySelector('#rows bdi')?.textContent === name", request_id)


def find(tab: Tab, text: str, rows: int) -> None:
    """Find a text, and wait for the number of rows."""
    tab.fill("#find", text)
    tab.wait_for("rows => document.querySelectorAll('#rows tr').length === rows", rows)


def test_pages_and_order(tab: Tab) -> None:
    """The header sorts, the buttons turn pages, and a reload keeps both."""
    tab.click("[data-sort=request_id] button")
    # The page's own stream has a UUID, which may come first.
    beginning = "[...document.querySelectorAll('#rows bdi')].slice(1, 3)"
    tab.wait_for(f"{beginning}.some((name) => name.textContent === 's000')")
    assert HOSTILE in shown(tab)[:2]
    assert tab.evaluate("document.querySelector('[aria-sort]').dataset.sort") == "request_id"
    assert tab.evaluate("document.querySelector('[aria-sort]').ariaSort") == "ascending"
    tab.click("[data-sort=request_id] button")
    first_is(tab, "s348")
    assert shown(tab)[:100] == [f"s{number}" for number in range(348, 248, -1)]
    assert tab.evaluate("document.querySelector('[aria-sort]').ariaSort") == "descending"
    assert tab.text("#page") == "Page 1 of 4"
    assert tab.locate("#previous", "is_disabled")
    tab.click("#next")
    first_is(tab, "s248")
    tab.reload()
    first_is(tab, "s248")
    assert tab.text("#page") == "Page 2 of 4"
    tab.click("#previous")
    first_is(tab, "s348")


def test_the_numbers(tab: Tab, server: Server, streams: dict[str, Stream]) -> None:
    """A row has what its stream has got; the stream with the most events comes first."""
    tab.click("[data-sort=events] button")
    for _ in range(3):
        publish(server, "own", "s007")
    tab.click("#refresh")
    first_is(tab, "s007")
    cells = texts(tab, "#rows tr:first-child td")
    blocks = [event for event in streams["s007"].events if event.type == "version"]
    streams["s007"].wait_for(lambda event: event.type == "own")
    assert len(blocks) == 1
    assert (cells[0], cells[2], cells[4], cells[5]) == ("127.0.0.1", "4", "0 bytes", "open")
    assert cells[3].endswith(" bytes")


def test_the_stream_of_the_page(chromium: Browser) -> None:
    """The page's own stream is in the list at once, and not after a later load of the list."""
    # Without the end of any pause, only the opened stream itself can load the list.
    no_pauses = """
      const later = window.setTimeout;
      window.setTimeout = (call, ms, ...rest) => (ms > 0 ? 0 : later(call, ms, ...rest));
      performance.now = () => 0;
    """
    with ServeServer() as server, chromium.context() as context:
        context.call("add_init_script", script=no_pauses)
        tab = context.tab(f"{server.url}/console/streams")
        tab.wait_for("document.querySelector('#rows .own')?.textContent === 'this console'")
        assert tab.text("#summary") == "1 stream"
        assert complaints(tab) == []


def test_find(tab: Tab) -> None:
    """The page finds streams by a part of the request id, whatever its characters are."""
    find(tab, "S29", 10)
    assert tab.text("#summary").startswith("10 of 35")
    assert tab.locate("#pages", "is_hidden")
    find(tab, "<b>x", 1)
    assert shown(tab) == [HOSTILE]
    assert tab.evaluate("getComputedStyle(document.querySelector('#rows bdi')).unicodeBidi") == (
        "isolate"
    )
    find(tab, "nothing like this", 0)
    assert tab.text("#empty") == "No stream matches the search."
    tab.reload()
    tab.wait_for("!document.querySelector('#empty').hidden")
    assert tab.locate("#find", "input_value") == "nothing like this"


def test_close_one(tab: Tab, server: Server, streams: dict[str, Stream]) -> None:
    """A stream is closed after a question; the answer can be no, with the button or Escape."""
    find(tab, "s100", 1)
    tab.click("#rows .actions button")
    assert tab.evaluate("document.activeElement.textContent") == "Close it"
    tab.call("keyboard.press", "Escape")
    assert tab.evaluate("document.activeElement.textContent") == "Close the stream s100"
    tab.call("keyboard.press", "Enter")
    tab.call("keyboard.press", "Tab")
    tab.call("keyboard.press", "Enter")
    assert tab.evaluate("document.activeElement.textContent") == "Close the stream s100"
    tab.call("keyboard.press", "Enter")
    tab.call("keyboard.press", "Enter")
    streams["s100"].wait_for_end()
    tab.wait_for("document.querySelector('#told').textContent === 'Closed the stream s100.'")
    tab.wait_for("!document.querySelector('#empty').hidden")
    # The row with the focus is gone, and the focus stays near it.
    assert tab.evaluate("document.activeElement.id") == "streams"


def test_a_stream_that_has_ended(tab: Tab, server: Server) -> None:
    """A close that comes too late is said in words."""
    with connect(server, "short"):
        find(tab, "short", 1)
        # A sample of the server would load the list again, and the row would be gone.
        tab.evaluate("""() => {
          const send = window.fetch;
          const never = new Promise(() => {});
          window.fetch = (url, options) => (options.method === "GET" ? never : send(url, options));
        }""")
    wait_until(lambda: not listed(server, "short"), "the end of the stream")
    tab.click("#rows .actions button")
    tab.click("#rows .danger")
    tab.wait_for("document.querySelector('#notices').textContent.includes('already ended')")


def test_the_list_follows(context: Context) -> None:
    """A sample with other totals loads the list; the focus and an open question stay."""
    with GunicornServer(application="tests.browser.console.quick_samples:create()") as server:
        tab = context.tab(f"{server.url}/console/streams")
        tab.wait_for("document.querySelectorAll('#rows tr').length === 1")  # its own stream
        follow_the_list(tab, server)
        assert complaints(tab) == []
        tab.close()


def follow_the_list(tab: Tab, server: Server) -> None:
    """Open and end streams, and wait until the page shows that."""
    find(tab, "late", 0)
    with connect(server, "late-1"):
        tab.wait_for("document.querySelectorAll('#rows tr').length === 1")
        tab.click("#rows .actions button")
        tab.click("[data-sort=request_id] button")
        tab.locate("#rows .danger", "focus")
        with connect(server, "late-0"):
            tab.wait_for("document.querySelectorAll('#rows tr').length === 2")
            assert shown(tab) == ["late-0", "late-1"]
            assert tab.evaluate("document.activeElement.textContent") == "Close it"
        wait_until(lambda: not listed(server, "late-0"), "the end of the stream")
        tab.wait_for("document.querySelectorAll('#rows tr').length === 1")
        assert tab.evaluate("document.activeElement.textContent") == "Close it"


def test_a_gateway_elsewhere(context: Context) -> None:
    """The page says that it knows little, and that the gateway was asked to close a stream."""
    with ServeServer(env={"SSE_GATEWAY_URL": "http://127.0.0.1:9"}) as server:
        callback = {"action": "connect", "token": "T1", "request": {"url": "/s?request_id=far"}}
        response = request(server.port, "POST", "/api/sse/callback", json_body=callback)
        assert response.status == 200, response.body
        tab = context.tab(f"{server.url}/console/streams")
        tab.wait_for("document.querySelectorAll('#rows tr').length === 1")
        assert tab.text("#remote").startswith("The streams are held by another process")
        cells = texts(tab, "#rows td")
        assert [cells[0], *cells[2:6]] == [*["unknown"] * 4, "registered"]
        tab.click("#rows .actions button")
        tab.click("#rows .danger")
        server.wait_for_log("a stream could not be closed")  # no gateway listens there
        tab.wait_for("document.querySelector('#told').textContent !== ''")
        assert tab.text("#told") == "Asked the gateway to close the stream far."
        assert tab.evaluate("document.activeElement.textContent") == "Close the stream far"
        tab.close()


def listed(server: Server, text: str) -> list[dict[str, Any]]:
    """Return the streams that the API finds."""
    body = request(server.port, "GET", f"/console/api/streams?find={text}").body
    found: list[dict[str, Any]] = json.loads(body)["streams"]
    return found
