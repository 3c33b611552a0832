"""The server refuses, the network is gone, or nobody says anything: the stream comes back."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.browser.client.rig.proxy import answer
from tests.browser.client.rig.site import Site, serve, wait_for_state
from tests.browser.tabs import Context
from tests.support.timing import wait_until

pytestmark = pytest.mark.needs("chromium", "playwright")

EVENTS = 60
"""The number of events that are published beside each fault."""

RETRY_AFTER = 2
"""The pause that the server asks for, in seconds."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Run one backend for all tests. The tabs of each test are gone at its end."""
    with serve(HEARTBEAT_INTERVAL_SECONDS="2") as site:
        yield site


def test_a_broken_connection(site: Site, context: Context) -> None:
    """After a cut, the stream goes on behind the last event."""
    tab = site.tab(context)
    numbers = site.numbers()
    requests = len(site.proxy.streams)
    with numbers.publishing(EVENTS):
        assert site.proxy.cut_streams() == 1
        wait_until(lambda: len(site.proxy.streams) > requests, "the next request")
    assert numbers.problems_of(tab) == []
    assert [request.last_event_id != "" for request in site.proxy.streams[requests:]] == [True]


def test_a_while_of_502(site: Site, context: Context) -> None:
    """A 502 ends an EventSource for good. The client asks again, and misses nothing."""
    tab = site.tab(context)
    numbers = site.numbers()
    with numbers.publishing(EVENTS), site.proxy.refusing(answer("502 Bad Gateway")):
        wait_until(lambda: site.proxy.refused >= 3, "three refusals")
        tab.wait_for("details.some(({ status }) => status === 502)")
        detail = tab.evaluate("details.find(({ status }) => status === 502)")
    assert numbers.problems_of(tab) == []
    assert detail["state"] == "waiting"
    assert detail["reason"] == "the server answered 502"
    assert detail["retryAt"] > detail["at"]
    assert "resync" not in tab.evaluate("names")


def test_a_503_with_retry_after(site: Site, context: Context) -> None:
    """The server's Retry-After is respected, whatever happens in the page meanwhile."""
    tab = site.tab(context)
    body = '{"error": {"message": "too many streams", "code": "TOO_MANY"}}'
    busy = answer("503 Service Unavailable", f"Retry-After: {RETRY_AFTER}\r\n", body)
    with site.proxy.refusing(busy):
        tab.wait_for("details.at(-1).status === 503")
    assert tab.evaluate("details.at(-1).reason") == "the server answered 503: too many streams"
    tab.wait_for("Date.now() > details.at(-1).at + 500")  # the usual pause is over
    tab.evaluate("for (const name of ['online', 'focus']) dispatchEvent(new Event(name))")
    assert site.numbers().problems_of(tab) == []
    refused, opened = site.proxy.streams[-2:]
    assert opened.at - refused.at > RETRY_AFTER - 0.01  # the browser rounds its times


def test_a_204(site: Site, context: Context) -> None:
    """A 204 stops the client, until the page asks it to connect."""
    tab = site.tab(context)
    requests = len(site.proxy.streams)
    with site.proxy.refusing(answer("204 No Content")):
        wait_for_state(tab, "closed")
    assert "204" in tab.evaluate("stream.detail.reason")
    tab.evaluate("for (const name of ['online', 'focus']) dispatchEvent(new Event(name))")
    tab.evaluate("stream.reconnect()")
    assert site.numbers().problems_of(tab) == []
    assert tab.evaluate("stream.state") == "open"
    assert len(site.proxy.streams) == requests + 2


def test_offline_and_back(site: Site, context: Context) -> None:
    """A page that was offline catches up when it is online again."""
    tab = site.tab(context, share=False)
    numbers = site.numbers()
    with numbers.publishing(EVENTS):
        requests = len(site.proxy.streams)
        context.call("set_offline", True)  # new requests fail, but the stream stays open
        site.proxy.cut_streams()
        tab.wait_for("details.filter(({ reason }) => reason === 'no answer').length >= 2")
        assert len(site.proxy.streams) == requests
        context.call("set_offline", False)
        wait_for_state(tab, "open")
    assert numbers.problems_of(tab) == []


def test_a_dead_stream(site: Site, context: Context) -> None:
    """A stream is dead after 2.5 heartbeats of silence, and not while it is only quiet."""
    tab = site.tab(context)
    numbers = site.numbers()
    requests = len(site.proxy.streams)
    heartbeats = site.state()["heartbeats"]
    wait_until(lambda: site.state()["heartbeats"] >= heartbeats + 4, "four heartbeats")
    assert len(site.proxy.streams) == requests
    with numbers.publishing(EVENTS):
        assert site.proxy.silence_streams() == 1
        wait_until(lambda: len(site.proxy.streams) > requests, "the next request")
    assert numbers.problems_of(tab) == []
    (reason,) = {detail["reason"] for detail in tab.evaluate("details")} - {""}
    silence = re.fullmatch(r"nothing arrived for (\d+) s", reason)
    assert silence is not None
    assert int(silence[1]) < 30  # it would be 37.5 s without the server's own interval
