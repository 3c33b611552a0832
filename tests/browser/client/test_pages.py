"""A page is reloaded, copied, left and shown again: it goes on behind its last event."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.client.rig.numbers import Numbers
from tests.browser.client.rig.site import Site, profile, wait_for_state
from tests.browser.tabs import Browser, Tab
from tests.support.timing import TIME_LIMIT, wait_until

pytestmark = pytest.mark.needs("chromium", "playwright")

EVENTS = 100
"""The number of events that are published beside each change of pages."""

WAYS = pytest.mark.parametrize(
    ("sharing", "options"),
    [("worker", {}), ("leader", {}), ("worker", {"share": False})],
    ids=["worker", "leader", "direct"],
)


@WAYS
def test_a_reload(chromium: Browser, site: Site, sharing: str, options: dict[str, Any]) -> None:
    """The next page of a tab gets what was sent since the last one, alone and beside others."""
    with profile(chromium, sharing) as context:
        tab = site.tab(context, **options)
        numbers = site.numbers()
        reload_slowly(site, tab, numbers)
        other = site.tab(context, **options)
        first = numbers.acknowledged[-1] + 1
        reload_slowly(site, tab, numbers)
        assert numbers.problems_of(tab) == []
        last = numbers.acknowledged[-1]
        other.wait_for("last => numbers.includes(last)", last)
        assert other.evaluate("numbers") == list(range(first, last + 1))
        assert "resync" not in tab.evaluate("names")
    site.wait_for_streams(0)


def reload_slowly(site: Site, tab: Tab, numbers: Numbers) -> None:
    """Reload a page while numbers are published, some of them while the tab has no page."""
    with numbers.publishing(EVENTS), site.proxy.holding("GET", "/pages/recorder.js") as begun:
        tab.evaluate("setTimeout(() => location.reload()) && null")
        assert begun.wait(TIME_LIMIT)
        count = len(numbers.acknowledged)
        wait_until(lambda: len(numbers.acknowledged) > count, "numbers without a page")
    wait_for_state(tab, "open")
    tab.wait_for("last => numbers.includes(last)", numbers.acknowledged[-1])


def test_a_page_left_and_shown_again(chromium: Browser, site: Site) -> None:
    """A page that is loaded again by the back button gets what was sent while it was away."""
    with profile(chromium) as context:
        tab = site.tab(context)
        numbers = site.numbers()
        with numbers.publishing(EVENTS):
            tab.goto(site.url("blank"))
            site.wait_for_streams(0)
            tab.call("go_back")
            wait_for_state(tab, "open")
        assert numbers.problems_of(tab) == []
    site.wait_for_streams(0)


@WAYS
def test_the_back_forward_cache(
    chromium: Browser, site: Site, sharing: str, options: dict[str, Any]
) -> None:
    """A page in the back/forward cache has no stream, and catches up when it is shown again.

    Playwright turns this cache off, so the test sends the page's events.
    """
    transition = "name => dispatchEvent(new PageTransitionEvent(name, { persisted: true }))"
    with profile(chromium, sharing) as context:
        tab = site.tab(context, **options)
        numbers = site.numbers()
        with numbers.publishing(EVENTS):
            tab.evaluate(transition, "pagehide")
            site.wait_for_streams(0)
            tab.evaluate(transition, "pageshow")
            site.wait_for_streams(1)
        assert numbers.problems_of(tab) == []
    site.wait_for_streams(0)


@pytest.mark.parametrize("share", [True, False])
def test_a_copied_tab(chromium: Browser, site: Site, share: bool) -> None:
    """A copied tab has the last id of the other, but not its request id: both have a stream."""
    with profile(chromium) as context:
        tab = site.tab(context, share=share)
        numbers = site.numbers()
        numbers.publish(20)
        tab.wait_for("numbers.length === 20")
        requests = len(site.proxy.streams)
        tab.evaluate("() => { window.copy = open(location.href); }")  # with a copied storage
        tab.wait_for("window.copy.stream?.state === 'open'")
        assert numbers.problems_of(tab) == []
        tab.wait_for("copy.numbers.at(-1) === 21")
        seen = tab.evaluate("copy.numbers")
        assert seen == list(range(seen[0], 22))
        ids = tab.evaluate("[stream.requestId, copy.stream.requestId]")
        assert (ids[0] == ids[1]) is share
        assert site.state()["streams"] == (1 if share else 2)
        assert len(site.proxy.streams) <= requests + 1
    site.wait_for_streams(0)
