"""The tab that holds the stream is closed, crashes or freezes: another takes over."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.browser.client.rig.site import Site, profile, serve
from tests.browser.client.rig.tab_faults import close, crash, frozen
from tests.browser.tabs import Browser, Tab
from tests.support.timing import wait_until

pytestmark = pytest.mark.needs("chromium", "playwright")

EVENTS = 1000
"""The number of events that are published beside each fault."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Run one backend for all tests. The tabs of each test are gone at its end."""
    with serve(HEARTBEAT_INTERVAL_SECONDS="1") as site:
        yield site


@pytest.mark.parametrize("fault", [close, crash])
def test_the_leader_goes(chromium: Browser, site: Site, fault: Callable[[Tab], None]) -> None:
    """Without workers, the next tab takes over. No number is missing or double in any tab."""
    with profile(chromium, "leader") as context:
        leader, *others = site.tabs(context, 4)
        opened = site.opened
        numbers = site.numbers()
        with numbers.publishing(EVENTS):
            fault(leader)
            wait_until(lambda: site.opened > opened, "the stream of the next leader")
        assert numbers.problems_of(*others) == []
        assert [complaint for tab in others for complaint in tab.complaints] == []
    site.wait_for_streams(0)


def test_the_leader_freezes(chromium: Browser, site: Site) -> None:
    """Another tab takes over from a frozen leader, whose tab catches up when it is thawed."""
    with profile(chromium, "leader") as context:
        leader, *others = site.tabs(context, 3)
        opened = site.opened
        numbers = site.numbers()
        with numbers.publishing(EVENTS), frozen(leader, site.proxy):
            wait_until(lambda: site.opened > opened, "the stream of the next leader")
        assert numbers.problems_of(leader, *others) == []
        site.wait_for_streams(1)
        assert numbers.problems_of(leader, *others) == []
    site.wait_for_streams(0)


@pytest.mark.parametrize("sharing", ["worker", "leader"])
def test_a_follower_freezes(chromium: Browser, site: Site, sharing: str) -> None:
    """A tab that is thawed has every number, although it does not hold the stream."""
    with profile(chromium, sharing) as context:
        tabs = site.tabs(context, 2)
        opened = site.opened
        numbers = site.numbers()
        with numbers.publishing(EVENTS), frozen(tabs[1], site.proxy):
            wait_until(lambda: len(numbers.acknowledged) > EVENTS // 2, "some numbers")
        assert numbers.problems_of(*tabs) == []
        assert site.opened == opened
    site.wait_for_streams(0)


@pytest.mark.parametrize("fault", [close, crash])
def test_the_first_tab_goes(chromium: Browser, site: Site, fault: Callable[[Tab], None]) -> None:
    """The process of the first tab may hold the worker. The other tabs miss nothing."""
    with profile(chromium) as context:
        first, *others = site.tabs(context, 4)
        numbers = site.numbers()
        with numbers.publishing(EVENTS):
            fault(first)
            count = len(numbers.acknowledged)
            wait_until(lambda: len(numbers.acknowledged) > count, "numbers after the fault")
        assert numbers.problems_of(*others) == []
        assert site.state()["streams"] == 1
    site.wait_for_streams(0)
