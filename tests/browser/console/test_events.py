"""The page Events in Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.console.page_text import complaints, texts
from tests.browser.tabs import Browser, Context, Tab
from tests.support.backend_client import connect
from tests.support.http.client import request
from tests.support.processes.server import Server, ServeServer

pytestmark = pytest.mark.needs("chromium", "playwright")

HOSTILE = '<img src=x onerror="hacked=1">\u202eright to left\u2067 <script>hacked=2</script>'
FIRST = "#log .data >> nth=0"
NEW_LOG = """const {EventLog} = await import("/console/static/events-log.js");
const target = document.createElement("section");
document.querySelector("main").prepend(target);
const log = new EventLog(target);"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Start a server that accepts large bodies."""
    with ServeServer(env={"MAX_JSON_BYTES": "16777216"}) as server:
        yield server


@pytest.fixture(scope="module")
def context(chromium: Browser) -> Iterator[Context]:
    """Open a browser context, whose tabs share one stream."""
    with chromium.context(permissions=["clipboard-read", "clipboard-write"]) as context:
        yield context


@pytest.fixture
def tab(context: Context, server: Server) -> Iterator[Tab]:
    """Open the page, whose stream is open."""
    tab = opened(context, server)
    yield tab
    assert complaints(tab) == []
    assert tab.evaluate("window.hacked") is None
    tab.close()


def opened(context: Context, server: Server) -> Tab:
    """Open the page in a new tab, and wait until its stream is open."""
    tab = context.tab(f"{server.url}/console/events")
    tab.wait_for("document.querySelector('#connection').textContent === 'open'")
    tab.wait_for("document.querySelectorAll('#log .name').length")  # the version
    return tab


def publish(server: Server, name: str, data: Any, request_id: str | None = None) -> dict[str, Any]:
    """Publish an event by the API of the page."""
    body = {"name": name, "data": data, "request_id": request_id}
    response = request(server.port, "POST", "/console/api/events", json_body=body)
    assert response.status == 200, response.body
    answer: dict[str, Any] = json.loads(response.body)
    return answer


def submit(tab: Tab, name: str, data: str, request_id: str | None = None) -> str:
    """Fill in the form and submit it; return what the page says then."""
    tab.fill("#publish-name", name)
    tab.fill("#publish-data", data)
    if request_id is not None:
        tab.click("[name=audience][value=one]")
        tab.fill("#publish-id", request_id)
    tab.click("#publish-form [type=submit]")
    said = "[...document.querySelectorAll('#published, #publish-form .field-error')]"
    said += ".map((item) => item.textContent).join('')"
    tab.wait_for(said)
    text: str = tab.evaluate(said)
    return text


def names(tab: Tab, log: str = "#log") -> list[str]:
    """Return the names of the events that a log shows, the newest first."""
    return texts(tab, f"{log} .log-list .name")


def see(tab: Tab, text: str, log: str = "#log") -> None:
    """Wait until a log shows a text in the data of an event."""
    within = f"[...document.querySelectorAll('{log} .data')]"
    tab.wait_for(f"text => {within}.some((item) => item.textContent.includes(text))", text)


def test_publish_to_all(tab: Tab, context: Context, server: Server) -> None:
    """An event reaches the logs of both tabs, with its id, size and data; numbers stay exact."""
    other = opened(context, server)
    said = submit(tab, "note", '{"text": "to all", "big": 12345678901234567890}')
    event_id = said.removesuffix(".").rpartition(" ")[2]
    # The tabs share one stream.
    assert said == f"1 of 1 stream took the event. It is kept as {event_id}."
    for page in (tab, other):
        see(page, "to all")
        row = "document.querySelector('#log .log-list li')"
        assert page.evaluate(f"{row}.querySelector('.id').textContent") == event_id
        assert page.evaluate(f"{row}.querySelector('.size').textContent") == "44 bytes"
    other.close()
    tab.click(FIRST)
    assert tab.text("#log li pre") == '{\n  "text": "to all",\n  "big": 12345678901234567890\n}'
    tab.click(FIRST)
    assert texts(tab, "#log li pre") == []


def test_publish_to_one(tab: Tab, server: Server) -> None:
    """The page says whether the stream of a request id took the event, or will get it later."""
    with connect(server, "reader") as reader:
        reader.wait_for(lambda event: event.type == "version")
        tab.click("[name=audience][value=one]")
        tab.click("#publish-id")
        tab.wait_for("document.querySelector('#request-ids option[value=reader]')")
        assert submit(tab, "note", '"for you"', "reader").startswith(
            "The stream of the request id reader took the event. It is kept as "
        )
        reader.wait_for(lambda event: event.data == '"for you"')
    said = submit(tab, "note", "1", "nobody-here")
    assert said.startswith("No stream has the request id nobody-here now. It is kept as ")
    publish(server, "note", "after")
    see(tab, "after")
    assert names(tab) == ["note", "version"]  # the other ones are not for this page


@pytest.mark.parametrize(
    ("name", "data", "request_id", "field", "said"),
    [
        ("n", "{", None, "data", "This is not JSON: "),
        ("n", " ", None, "data", "Enter JSON, such as "),
        ("n", "1", "", "request_id", "Enter a request id."),
        ("n", "1", "a:b", "request_id", "must be 1 to 200 characters, without a colon"),
    ],
)
def test_faults(
    tab: Tab, name: str, data: str, request_id: str | None, field: str, said: str
) -> None:
    """A fault is said at its field, which gets the focus."""
    assert submit(tab, name, data, request_id).startswith(said)
    assert tab.text(f"#publish-{field}-error").startswith(said)
    assert tab.evaluate("document.activeElement.getAttribute('aria-invalid')") == "true"


def test_filters(tab: Tab, server: Server) -> None:
    """The log can be narrowed to a name and a text, also of earlier events."""
    request_id = tab.evaluate(
        "async () => (await import('/console/static/page.js')).stream.requestId"
    )
    body = {"request_id": request_id}
    request(server.port, "POST", "/console/api/operations/watch", json_body=body)
    tab.wait_for("document.querySelector('#log option[value=operations_sample]')")  # was seen
    for name, data in (("a", "one"), ("b", "two"), ("b", "one more"), ("a", "last")):
        publish(server, name, data)
    see(tab, "last")
    assert names(tab) == ["a", "b", "b", "a", "version"]  # not the samples
    tab.locate("#log select", "select_option", "b")
    tab.wait_for("document.querySelectorAll('#log li').length === 2")
    tab.fill("#log [type=search]", "MORE")
    tab.wait_for("document.querySelectorAll('#log li').length === 1")
    publish(server, "b", "no")
    publish(server, "b", "and more")
    see(tab, "and more")
    assert texts(tab, "#log .data") == ['"and more"', '"one more"']
    tab.locate("#log select", "select_option", "operations_sample")
    tab.fill("#log [type=search]", "")
    tab.wait_for("document.querySelector('#log .name')?.textContent === 'operations_sample'")


def test_pause_and_clear(tab: Tab, server: Server) -> None:
    """A paused log counts what is new, and shows it later; a cleared log is empty."""
    tab.click("#log button >> text=Pause")
    publish(server, "a", 1)
    publish(server, "a", 2)
    tab.wait_for("document.querySelector('#log .log-status').textContent.endsWith('paused: 2 new')")
    assert names(tab) == ["version"]
    tab.click("#log button >> text=Resume")
    tab.wait_for("document.querySelectorAll('#log li').length === 3")
    assert names(tab) == ["a", "a", "version"]
    tab.click("#log button >> text=Clear")
    assert (names(tab), tab.text("#log .log-status")) == ([], "0 events")


def test_copy(tab: Tab, server: Server) -> None:
    """One event's data, and all events, can be copied."""
    event_id = publish(server, "a", {"b": [1]})["id"]
    see(tab, '{"b":[1]}')
    tab.click(FIRST)
    tab.click("#log button >> text=Copy data")
    tab.wait_for("document.querySelector('#log [role=status]').textContent === 'Copied the data.'")
    assert tab.evaluate("navigator.clipboard.readText()") == '{"b":[1]}'
    tab.click("#log button >> text=Copy all")
    tab.wait_for("document.querySelector('#log [role=status]').textContent === 'Copied 2 events.'")
    lines = tab.evaluate("navigator.clipboard.readText()").split("\n")
    assert lines[1].split("\t")[1:] == [event_id, "a", '{"b":[1]}']


def test_hostile_events(tab: Tab, server: Server) -> None:
    """Markup and marks for the direction are text, wherever they stand."""
    publish(server, HOSTILE, {"text": HOSTILE, HOSTILE: 1})
    see(tab, "right to left")
    assert names(tab)[0] == HOSTILE
    assert tab.evaluate("getComputedStyle(document.querySelector('#log .name')).unicodeBidi") in (
        "isolate",
        "isolate-override",
    )
    tab.click(FIRST)
    assert json.loads(tab.text("#log pre")) == {"text": HOSTILE, HOSTILE: 1}
    assert tab.locate("#log img, #log script", "count") == 0


def test_ten_megabytes(tab: Tab, server: Server) -> None:
    """Of a long text, the beginning is shown, and the rest on demand."""
    publish(server, "long", "x" * 10_000_000)
    tab.wait_for("document.querySelector('#log .name').textContent === 'long'")
    assert texts(tab, "#log .size")[0] == "9.54 MiB"
    assert len(texts(tab, "#log .data")[0]) == 301
    tab.click(FIRST)
    length = "document.querySelector('#log pre').textContent.length"
    assert tab.evaluate(length) == 20_001
    tab.click("#log button >> text=Show all (9.54 MiB)")
    assert tab.evaluate(length) == 10_000_002
    assert tab.locate("#log .buttons button", "count") == 1
    tab.click(FIRST)


def test_a_flood(tab: Tab) -> None:
    """Of 50,000 events at once, the newest are drawn in several frames, the others are counted."""
    drawn = tab.evaluate(
        f"""async () => {{
          {NEW_LOG}
          const drawn = [];
          for (let number = 1; number <= 50_000; number += 1)
            log.add({{ name: "n", id: `e-${{number}}`, data: number, text: `${{number}}` }});
          const rows = target.querySelector("ol").children;
          while (rows.length < 1_000) {{
            await new Promise(requestAnimationFrame);
            drawn.push(rows.length);
          }}
          await new Promise(requestAnimationFrame);
          return [drawn.length, target.querySelector(".log-status").textContent,
            rows[0].querySelector(".id").textContent, rows[999].querySelector(".id").textContent];
        }}"""
    )
    assert drawn[0] > 1
    assert drawn[1:] == ["1,000 events, 49,000 not shown", "e-50000", "e-49001"]


def test_the_log_is_bounded_in_size(tab: Tab) -> None:
    """Large events push out earlier ones before there are a thousand."""
    left = tab.evaluate(
        f"""async () => {{
          {NEW_LOG}
          const status = target.querySelector(".log-status");
          for (let number = 1; number <= 10; number += 1) {{
            log.add({{ name: "n", id: "", data: 0, text: "x".repeat(10_000_000) }});
            while (!/^[1-9]/.test(status.textContent)) await new Promise(requestAnimationFrame);
            await new Promise(requestAnimationFrame);
          }}
          return target.querySelectorAll("li").length;
        }}"""
    )
    assert left == 3


def test_a_replay(tab: Tab, server: Server) -> None:
    """A second stream shows what followed an id; it can be closed."""
    first = publish(server, "r", "first")["id"]
    publish(server, "r", "second")
    publish(server, "r", "third")
    see(tab, "third")
    tab.fill("#replay-id", first)
    tab.click("#replay-form button")
    see(tab, "third", "#replays")
    replayed = [text for text in texts(tab, "#replays .data") if "version" not in text]
    assert replayed == ['"third"', '"second"']
    assert tab.text("#replays [role=status] >> nth=0") == "Its stream: open"
    publish(server, "r", "live")
    see(tab, "live", "#replays")
    see(tab, "live")
    tab.click("#replays button >> text=Close the replay")
    assert texts(tab, "#replays .replay") == []
    assert tab.evaluate("document.activeElement.id") == "replay-id"


def test_a_replay_of_what_is_not_kept(tab: Tab, server: Server) -> None:
    """An id that the server does not know is said in words."""
    tab.fill("#replay-id", "elsewhere-5")
    tab.click("#replay-form button")
    tab.wait_for("!document.querySelector('#replays .notice').hidden")
    assert tab.text("#replays .notice") == (
        "The server does not know this id. It belongs to another log. What follows here is new."
    )
    publish(server, "r", "goes on")
    see(tab, "goes on", "#replays")
