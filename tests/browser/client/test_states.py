"""The state of the stream, as a page shows it, and a page that asks for too much."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from itertools import groupby

import pytest

from tests.browser.client.rig.proxy import answer
from tests.browser.client.rig.site import Site, result_of, serve, wait_for_state
from tests.browser.tabs import Context, Tab
from tests.support.timing import TIME_LIMIT, wait_until

pytestmark = pytest.mark.needs("chromium", "playwright")

PAUSE = 1
"""The usual pause before a page comes back, in seconds."""

HAMMERINGS = 50

HAMMER = """() => {
  for (let i = 0; i < 100; i += 1) {
    dispatchEvent(new Event("online"));
    dispatchEvent(new Event("focus"));
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
  }
}"""

# A block that arrives after a jump shows that the stream lives, so the clock may jump again.
SLEEP = """() => {
  const now = Date.now;
  let slept = 0;
  Date.now = () => now() + slept;
  const timer = setInterval(() => (slept += 3_600_000), 100);
  stream.onState((state) => state === "waiting" && clearInterval(timer));
}"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Run one backend for all tests, with a longer pause before a page comes back."""
    with serve(SSE_RETRY_MS=str(PAUSE * 1000)) as site:
        yield site


def states_of(tab: Tab) -> list[str]:
    """Return the states that the page was told, without repetitions."""
    return [state for state, _ in groupby(tab.evaluate("states"))]


@pytest.mark.parametrize("share", [True, False])
def test_all_states(site: Site, context: Context, share: bool) -> None:
    """A wait that lasts longer than the grace time is a state of its own."""
    tab = site.tab(context, share=share, graceSeconds=0.1)
    with site.proxy.refusing(answer("502 Bad Gateway")):
        wait_for_state(tab, "lost")
    wait_for_state(tab, "open")
    tab.evaluate("stream.close()")
    assert states_of(tab) == ["connecting", "open", "waiting", "lost", "open", "closed"]
    assert tab.evaluate("stream.detail") == {
        "reason": "closed by the page",
        "status": 0,
        "retryAt": 0,
    }


def test_a_short_wait_is_not_lost(site: Site, context: Context) -> None:
    """A page that shows only ``lost`` does not flicker when the stream is replaced."""
    tab = site.tab(context, graceSeconds=TIME_LIMIT)
    requests = len(site.proxy.streams)
    site.proxy.cut_streams()
    tab.wait_for("states.filter(state => state === 'open').length === 2")
    assert states_of(tab) == ["connecting", "open", "waiting", "open"]
    assert len(site.proxy.streams) == requests + 1


def test_a_late_handler_gets_the_state(site: Site, context: Context) -> None:
    """A handler of states that is registered late is called with the present state."""
    tab = site.tab(context)
    told = "() => new Promise(done => stream.onState((...told) => done(told)))"
    assert result_of(tab, told) == ["open", {"reason": "", "status": 0, "retryAt": 0}]


def test_a_page_that_connects_later(site: Site, context: Context) -> None:
    """With ``autoConnect: false``, nothing is requested before ``reconnect``."""
    requests = len(site.proxy.streams)
    tab = context.tab(site.url(autoConnect=False))
    tab.wait_for("states.length > 0")
    assert tab.evaluate("[stream.state, stream.detail.reason]") == ["closed", "not connected yet"]
    assert len(site.proxy.streams) == requests
    tab.evaluate("stream.reconnect()")
    wait_for_state(tab, "open")
    assert len(site.proxy.streams) == requests + 1


@pytest.mark.parametrize("share", [True, False])
def test_an_open_stream_is_left_alone(site: Site, context: Context, share: bool) -> None:
    """A page that asks for a reconnect, or is looked at, a hundred times opens no stream."""
    tab = site.tab(context, share=share)
    requests = len(site.proxy.streams)
    tab.evaluate("for (let i = 0; i < 100; i += 1) stream.reconnect()")
    tab.evaluate(HAMMER)
    assert site.numbers().problems_of(tab) == []
    assert len(site.proxy.streams) == requests


def test_a_waiting_stream_is_not_hammered(site: Site, context: Context) -> None:
    """A page that comes back very often while the server is away asks once in a usual pause."""
    tab = site.tab(context)
    forwarded = len(site.proxy.streams) - site.proxy.refused
    with site.proxy.refusing(answer("502 Bad Gateway")):
        refused = site.proxy.refused
        started = time.monotonic()
        for _ in range(HAMMERINGS):
            tab.evaluate(HAMMER)
        pauses = (time.monotonic() - started) / PAUSE
        assert site.proxy.refused - refused <= pauses + 3 < HAMMERINGS
    tab.evaluate(HAMMER)
    assert site.numbers().problems_of(tab) == []
    assert len(site.proxy.streams) - site.proxy.refused == forwarded + 1


def test_reconnect_ends_the_pause(site: Site, context: Context) -> None:
    """A refusal that will not change is not asked about soon, except by the page."""
    tab = site.tab(context)
    with site.proxy.refusing(answer("403 Forbidden", body='{"error": "sign in first"}')):
        tab.wait_for("details.at(-1).status === 403")
    detail = tab.evaluate("details.at(-1)")
    assert detail["reason"] == "the server answered 403: sign in first"
    assert detail["retryAt"] - detail["at"] > 20_000
    tab.evaluate("stream.reconnect()")
    assert site.numbers().problems_of(tab) == []


def test_a_computer_that_slept(site: Site, context: Context) -> None:
    """A stream that was silent for hours by the clock of the computer is replaced at once."""
    tab = site.tab(context, share=False)
    requests = len(site.proxy.streams)
    tab.evaluate(SLEEP)
    wait_until(lambda: len(site.proxy.streams) > requests, "the next request")
    wait_for_state(tab, "open")
    (reason,) = {detail["reason"] for detail in tab.evaluate("details")} - {""}
    silence = re.fullmatch(r"nothing arrived for (\d+) s", reason)
    assert silence is not None
    assert int(silence[1]) >= 3600
    assert site.numbers().problems_of(tab) == []
