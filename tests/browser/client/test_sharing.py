"""The tabs of a browser share one stream, which ends with the last of them."""

from __future__ import annotations

import pytest

from tests.browser.client.rig.site import Site, profile, wait_for_state
from tests.browser.client.rig.tab_faults import crash
from tests.browser.tabs import Browser
from tests.support.timing import wait_until

pytestmark = pytest.mark.needs("chromium", "playwright")

LARGE = 10_000_000
"""The number of characters of a large event."""

FLOOD = 20_000
"""The number of events of a flood."""

BOTH = pytest.mark.parametrize("sharing", ["worker", "leader"])


@BOTH
def test_ten_tabs_have_one_stream(chromium: Browser, site: Site, sharing: str) -> None:
    """Ten tabs have one stream together, and each tab gets every event once and in order."""
    before = site.opened
    with profile(chromium, sharing) as context:
        tabs = site.tabs(context, 10)
        assert {tab.evaluate("stream.sharing") for tab in tabs} == {sharing}
        numbers = site.numbers()
        numbers.publish(100)
        assert numbers.problems_of(*tabs) == []
        assert site.state()["streams"] == 1
        assert site.opened == before + 1
        for name in ("requestId", "lastEventId", "version.version"):
            values = {tab.evaluate(f"stream.{name}") for tab in tabs}
            assert len(values) == 1
            assert values != {""}
        assert [complaint for tab in tabs for complaint in tab.complaints] == []
    site.wait_for_streams(0)


def test_tabs_that_do_not_share(chromium: Browser, site: Site) -> None:
    """With ``share: false``, or with names of their own, each tab has its own stream."""
    with profile(chromium) as context:
        tabs = site.tabs(context, 2, share=False)
        tabs += [site.tab(context, requestId=name) for name in ("one", "two", "two")]
        kinds = [tab.evaluate("stream.sharing") for tab in tabs]
        assert kinds == ["direct", "direct", "worker", "worker", "worker"]
        assert site.state()["streams"] == 4
        numbers = site.numbers()
        assert numbers.problems_of(*tabs) == []
    site.wait_for_streams(0)


@BOTH
def test_the_stream_ends_with_the_last_tab(chromium: Browser, site: Site, sharing: str) -> None:
    """A tab that closes leaves the stream to the others. The last one ends it."""
    with profile(chromium, sharing) as context:
        page = context.tab(site.url("blank"))  # keeps the browser's process for the origin
        tabs = site.tabs(context, 3)
        numbers = site.numbers()
        tabs.pop(0).close()
        assert numbers.problems_of(*tabs) == []
        tabs[0].evaluate("stream.close()")
        assert tabs[0].evaluate("stream.state") == "closed"
        assert numbers.problems_of(tabs[1]) == []
        assert site.state()["streams"] == 1
        tabs[1].close()
        site.wait_for_streams(0)
        tabs[0].evaluate("stream.reconnect()")
        wait_for_state(tabs[0], "open")
        assert page.complaints == tabs[0].complaints == []
    site.wait_for_streams(0)


@BOTH
def test_a_tab_that_vanishes_is_not_counted(chromium: Browser, site: Site, sharing: str) -> None:
    """A crashed tab says nothing. The stream ends when the last living tab leaves it."""
    with profile(chromium, sharing) as context:
        staying, vanishing = site.tabs(context, 2)
        crash(vanishing)
        assert site.numbers().problems_of(staying) == []
        staying.evaluate("stream.close()")
        site.wait_for_streams(0)
        assert staying.evaluate("stream.state") == "closed"


def test_a_late_tab_joins(chromium: Browser, site: Site) -> None:
    """A tab that joins gets the state at once, and events from now on."""
    with profile(chromium) as context:
        early = site.tab(context)
        numbers = site.numbers()
        numbers.publish(10)
        early.wait_for("numbers.length === 10")
        late = site.tab(context)
        assert late.evaluate("stream.version") == early.evaluate("stream.version")
        assert late.evaluate("stream.lastEventId") == early.evaluate("stream.lastEventId")
        numbers.publish(10)
        wait_until(lambda: late.evaluate("numbers.at(-1)") == 20, "the last number")
        assert late.evaluate("numbers") == list(range(11, 21))
    site.wait_for_streams(0)


def test_much_at_once(chromium: Browser, site: Site) -> None:
    """Three tabs get a large event and a flood of events, all of them once and in order."""
    with profile(chromium) as context:
        tabs = site.tabs(context, 3)
        before = site.opened
        large, numbers = site.numbers(filling=LARGE), site.numbers()
        large.publish(1)
        for tab in tabs:
            tab.wait_for("numbers.length === 1")
            tab.evaluate("numbers.length = 0")
        numbers.publish(FLOOD)
        assert numbers.problems_of(*tabs) == []
        assert site.opened == before
    site.wait_for_streams(0)
