"""Events cannot be replayed: the page is told so, and followed tasks are read again."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.browser.client.rig.proxy import answer
from tests.browser.client.rig.site import Site, profile, serve, wait_for_state
from tests.browser.tabs import Browser, Tab
from tests.support.http.client import request
from tests.support.timing import wait_until

pytestmark = pytest.mark.needs("chromium", "playwright")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Run a backend that sends no ids."""
    with serve(SSE_REPLAY="off") as site:
        yield site


def reasons_of(tab: Tab) -> list[str]:
    """Return the reasons of the events ``resync``."""
    events = tab.evaluate("events.filter(([name]) => name === 'resync')")
    return [json.loads(text)["reason"] for _, text, _ in events]


@pytest.mark.parametrize("sharing", ["worker", "leader"])
def test_a_server_without_ids(chromium: Browser, site: Site, sharing: str) -> None:
    """Each tab is told once after each new stream, but not after the first one."""
    with profile(chromium, sharing) as context:
        tabs = site.tabs(context, 2)
        numbers = site.numbers()
        assert numbers.problems_of(*tabs) == []
        assert [reasons_of(tab) for tab in tabs] == [[], []]
        site.proxy.cut_streams()
        for tab in tabs:
            tab.wait_for("names.includes('resync')")
        assert numbers.problems_of(*tabs) == []
        assert [reasons_of(tab) for tab in tabs] == [["no_ids"], ["no_ids"]]
    site.wait_for_streams(0)


def test_the_leader_of_a_server_without_ids(chromium: Browser, site: Site) -> None:
    """The tabs of a leader that was closed are told that they may have missed events."""
    with profile(chromium, "leader") as context:
        leader, tab = site.tabs(context, 2)
        leader.close()
        tab.wait_for("names.includes('resync')")
        assert site.numbers().problems_of(tab) == []
        assert reasons_of(tab) == ["no_ids"]
    site.wait_for_streams(0)


def test_a_task_over_a_resync(chromium: Browser, site: Site) -> None:
    """A task that ended while the page had no stream is read from its status."""
    with profile(chromium) as context:
        tab = site.tab(context)
        task = site.start_task(steps=1000, delay=1)
        tab.evaluate(
            "id => { window.kinds = []; (async () => {"
            " for await (const event of stream.task(id)) kinds.push(event.event_type);"
            " kinds.push('over'); })(); }",
            task,
        )
        tab.wait_for("kinds.length > 0")
        with site.proxy.refusing(answer("502 Bad Gateway")):
            cancel = request(site.server.port, "POST", f"/api/tasks/{task}/cancel")
            assert cancel.status == 200
            status = f"/api/tasks/{task}/status"
            wait_until(
                lambda: b'"cancelled"' in request(site.server.port, "GET", status).body,
                "the end of the task",
            )
        tab.wait_for("kinds.at(-1) === 'over'")
        assert tab.evaluate("kinds.slice(-2)") == ["task_cancelled", "over"]
    site.wait_for_streams(0)


def test_a_lost_log(chromium: Browser) -> None:
    """A server that does not know the last id says so. Later events have the new ids."""
    with serve() as site, profile(chromium) as context:
        tab = context.tab(site.url(lastEventId="0123456789-5"))
        wait_for_state(tab, "open")
        tab.wait_for("names.includes('resync')")
        numbers = site.numbers()
        site.proxy.cut_streams()
        assert numbers.problems_of(tab) == []
        assert reasons_of(tab) == ["unknown"]
        assert "0123456789" not in tab.evaluate("stream.lastEventId")
        late = site.tab(context, lastEventId="0123456789-5")
        late.wait_for("names.includes('resync')")
        assert numbers.problems_of(tab) == []
        late.wait_for("last => numbers.at(-1) === last", numbers.acknowledged[-1])
        assert reasons_of(late) == ["unknown"]
        assert reasons_of(tab) == ["unknown"]
