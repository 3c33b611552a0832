"""Clients that others wrote: after a reload of the server, a restart with 502s, and a cut."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest

from tests.browser.clients.catalog import CLIENTS, Client, Outcome
from tests.browser.clients.site import Site
from tests.browser.clients.story import FAULTS, Story, numbers_of, tell
from tests.browser.tabs import Browser, Tab
from tests.support.http.client import request
from tests.support.timing import wait_until

pytestmark = pytest.mark.needs("chromium", "playwright", "npm")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run one backend for all faults."""
    with Site(tmp_path_factory.mktemp("site") / "state") as site:
        yield site


@pytest.fixture(scope="module")
def tabs(chromium: Browser, site: Site) -> Iterator[Mapping[str, Tab]]:
    """Open a tab for each client, by the name of its page, and close them before the site.

    Each has a context of its own, because a browser opens at most six connections to a host. A page
    that outlived its site would ask whichever server gets the site's port next.
    """
    del site  # needed for its order only
    with ExitStack() as stack:
        yield {client.page: stack.enter_context(chromium.context()).tab() for client in CLIENTS}


@pytest.fixture(scope="module", params=FAULTS)
def fault(request: pytest.FixtureRequest) -> str:
    """Return the name of a fault."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def story(site: Site, tabs: Mapping[str, Tab], fault: str) -> Story:
    """Cause a fault once, for all clients together."""
    return tell(tabs, site, fault)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.page)
def test_fault(story: Story, fault: str, client: Client) -> None:
    """A client gets what it gets by its nature, and with its remedy every event exactly once."""
    log = story.logs[client.page]
    numbers = numbers_of(log)
    outcome = client.after(fault)
    assert '"reason"' not in log, "there was a resync"
    if outcome is Outcome.EVERYTHING:
        assert numbers == story.sent
        return
    # A client that has stopped has a beginning. One that skips has the end, too.
    after = story.sent[story.sent.index(story.after) :] if outcome is Outcome.SKIPS else []
    until_fault = numbers[: len(numbers) - len(after)]
    assert numbers == story.sent[: len(until_fault)] + after
    assert until_fault[-1] < story.away


def test_a_page_that_opens_during_a_502(site: Site, tabs: Mapping[str, Tab]) -> None:
    """The page with htmx 4, whose extension makes one first request, repeats it."""
    site.front.hold(refusals=2)
    tab = tabs["htmx-4"]
    tab.goto(site.front.url("htmx-4", "late"))
    wait_until(lambda: ("late", "") in site.front.waiting, "the third request")
    assert site.front.refused["late"] == 2
    site.front.release()
    tab.wait_for("document.querySelector('#last').textContent")


@pytest.mark.parametrize("page", ["htmx-2", "htmx-4"])
def test_events_in_htmx(site: Site, tabs: Mapping[str, Tab], page: str) -> None:
    """Each event has its name in htmx. Its JSON stays text where the page asks for text."""
    tab = tabs[page]
    tab.goto(site.front.url(page, f"{page}-events"))
    tab.wait_for("document.querySelector('#last').textContent")
    assert "version" in json.loads(tab.text("#last"))
    event = {
        "request_id": f"{page}-events",
        "task_id": "a-task",
        "event_type": "progress_update",
        "data": {"text": "<b>bold</b>", "value": 0.5},
    }
    path = "/api/testing/sse/task-event"
    assert request(site.server.port, "POST", path, json_body=event).status == 200
    tab.wait_for("document.querySelector('#task').textContent")
    assert json.loads(tab.text("#task"))["data"] == event["data"]
    assert tab.evaluate("document.querySelector('#unnamed').textContent") == ""
    # The default swap of htmx 2 takes the data for HTML. In htmx 4, only events without a name are
    # swapped, and this server sends none.
    if page == "htmx-2":
        tab.wait_for("document.querySelector('#task-as-html > b')")
    assert tab.evaluate("document.querySelectorAll('b').length") == (page == "htmx-2")
