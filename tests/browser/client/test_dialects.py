"""Both dialects of the wire: a page sees the same events, and the same ends of its stream."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.browser.client.rig.site import Site, profile, result_of, serve, wait_for_state
from tests.browser.tabs import Browser, Context
from tests.faults.nothing_missed.worker_faults import reload
from tests.support.processes.server import ROOT

pytestmark = pytest.mark.needs("chromium", "playwright")

DATA = {"text": "<b>ü\u2028\u200f</b>", "type": "inner", "payload": [1, None]}


@pytest.fixture(scope="module", params=["named", "envelope"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Run a backend of each dialect. It accepts streams with the cookie ``pass=good``."""
    env = {
        "SSE_AUTHORIZE": "tests.browser.cookie_pass:authorize",
        "PYTHONPATH": str(ROOT),
        "SSE_DIALECT": request.param,
    }
    with serve(**env) as site:
        yield site


@pytest.fixture
def dialect(site: Site) -> str:
    """Return the dialect of the backend."""
    return site.server.env["SSE_DIALECT"]


@pytest.fixture
def context(chromium: Browser, site: Site) -> Iterator[Context]:
    """Open a context with the cookie, whose streams are gone at the end of the test."""
    with profile(chromium) as context:
        context.call("add_cookies", [{"name": "pass", "value": "good", "url": site.proxy.origin}])
        yield context
    site.wait_for_streams(0)


def test_names_and_data(site: Site, dialect: str, context: Context) -> None:
    """Names, data and ids of events do not depend on the dialect."""
    tab = site.tab(context)
    tab.wait_for("stream.version !== undefined")
    tab.evaluate("() => { stream.on('greeting', (...got) => { window.greeting = got; }); }")
    site.send("greeting", DATA)
    task = site.start_task(steps=2, delay=0)
    tab.wait_for("window.greeting !== undefined")
    data, event = tab.evaluate("greeting")
    assert data == json.loads(event.pop("text")) == DATA
    assert event["name"] == "greeting"
    tab.wait_for("names.filter(name => name === 'task_event').length === 4")
    names = tab.evaluate("names")
    assert names[-5:] == ["greeting", *["task_event"] * 4]
    assert ("ready" in names) is (dialect == "envelope")
    assert set(names[:-5]) <= {"version", "ready"}
    kinds = result_of(
        tab,
        "async id => { const kinds = [];"
        " for await (const { event_type: kind } of stream.task(id)) kinds.push(kind);"
        " return kinds; }",
        task,
    )
    assert kinds == ["task_started", "progress_update", "progress_update", "task_completed"]
    assert tab.evaluate("stream.lastEventId") != event["id"]


def test_a_cut(site: Site, context: Context) -> None:
    """Nothing is missing or double after the stream was broken."""
    tab = site.tab(context)
    numbers = site.numbers()
    with numbers.publishing(60):
        site.proxy.cut_streams()
        tab.wait_for("states.filter(state => state === 'open').length === 2")
    assert numbers.problems_of(tab) == []


def test_the_server_closes_for_good(site: Site, context: Context) -> None:
    """After ``connection_close`` nothing is requested, until the page asks for it."""
    tabs = site.tabs(context, 2)
    requests = len(site.proxy.streams)
    site.send("connection_close", {"reason": "signed out"})
    for tab in tabs:
        wait_for_state(tab, "closed")
        assert tab.evaluate("names.at(-1)") == "connection_close"
    site.wait_for_streams(0)
    tabs[0].evaluate("for (const name of ['online', 'focus']) dispatchEvent(new Event(name))")
    tabs[0].evaluate("stream.reconnect()")
    numbers = site.numbers()
    assert numbers.problems_of(*tabs) == []
    assert len(site.proxy.streams) == requests + 1


def test_a_server_that_restarts(site: Site, context: Context) -> None:
    """The page is told that the stream is about to end, and comes back to the next worker."""
    tab = site.tab(context)
    numbers = site.numbers()
    with numbers.publishing(60):
        reload(site.server)
    assert numbers.problems_of(tab) == []
    assert "server_restart" in tab.evaluate("names")
    assert "resync" not in tab.evaluate("names")


def test_a_refusal_of_the_backend(chromium: Browser, site: Site, dialect: str) -> None:
    """A stream that the backend refuses is asked for more and more seldom.

    In the dialect *named* the refusal is a status, in *envelope* it is an event of a stream.
    """
    with profile(chromium) as context:
        tab = context.tab(site.url())
        if dialect == "named":
            tab.wait_for("details.at(-1)?.status === 403")
            detail = tab.evaluate("details.at(-1)")
            assert detail["retryAt"] - detail["at"] > 20_000
            return
        tab.wait_for("details.filter(({ state }) => state === 'waiting').length >= 4")
        name, text, _ = tab.evaluate("events[0]")
        assert (name, json.loads(text)) == ("rejected", {"status": 403, "message": "No pass"})
        waits = [each for each in tab.evaluate("details") if each["state"] == "waiting"]
        pauses = [each["retryAt"] - each["at"] for each in waits]
        # 1.5 ** 3 times as long, and jitter makes the first one at most 1.5 times as long.
        assert pauses[3] > 2 * pauses[0]
        context.call("add_cookies", [{"name": "pass", "value": "good", "url": site.proxy.origin}])
        tab.evaluate("stream.reconnect()")
        tab.wait_for("names.includes('version')")
        assert "resync" not in tab.evaluate("names")
        assert site.numbers().problems_of(tab) == []
    site.wait_for_streams(0)
