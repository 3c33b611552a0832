"""Handlers that throw, headers of a page's own, and pages that use an ``EventSource``."""

from __future__ import annotations

import pytest

from tests.browser.client.rig.site import Site
from tests.browser.tabs import Context

pytestmark = pytest.mark.needs("chromium", "playwright")

EVENT_SOURCE_PAGE = """async source => {
  const own = source === "native" ? self : await import("/static/sse-event-source.js");
  const EventSource = source === "native" ? own.EventSource : own.SharedEventSource;
  window.seen = [];
  const stream = (window.source = new EventSource("/api/sse/stream?request_id=" + source));
  stream.onopen = (event) => seen.push([event.type, stream.readyState]);
  stream.onerror = (event) => seen.push([event.type, stream.readyState]);
  stream.onmessage = (event) => seen.push([event.type, event.data]);
  stream.addEventListener("number", (event) =>
    seen.push([event.type, event.data, event.lastEventId, event.origin]));
  stream.addEventListener("version", (event) => seen.push([event.type, event.data]));
}"""


def test_an_existing_page(site: Site, context: Context) -> None:
    """A page that uses an EventSource sees the same with the adapter, over a cut, too."""
    seen = {}
    numbers = site.numbers()
    for source in ("native", "SharedEventSource"):
        tab = context.tab(site.url("blank"))
        tab.evaluate(EVENT_SOURCE_PAGE, source)
        tab.wait_for("seen.some(([type]) => type === 'version')")
        numbers.publish(2)
        tab.wait_for("seen.filter(([type]) => type === 'number').length === 2")
        site.proxy.cut_streams()
        tab.wait_for("seen.filter(([type]) => type === 'open').length === 2")
        numbers.publish(1)
        tab.wait_for("seen.filter(([type]) => type === 'number').length === 3")
        tab.evaluate("source.close()")
        url = f"{site.proxy.origin}/api/sse/stream?request_id={source}"
        properties = tab.evaluate("[source.readyState, source.url, source.withCredentials]")
        assert properties == [2, url, False]
        seen[source] = tab.evaluate("seen")
        site.wait_for_streams(0)
    kinds = [[each[0] for each in entries] for entries in seen.values()]
    assert kinds[0] == kinds[1]
    for native, own in zip(*seen.values(), strict=True):
        if native[0] == "number":
            assert native[3] == own[3] == site.proxy.origin
            assert int(own[2].split("-")[1]) - int(native[2].split("-")[1]) == 3
        else:
            assert native == own


def test_an_adapter_for_all_tabs(site: Site, context: Context) -> None:
    """Pages with the adapter share one stream."""
    tabs = [context.tab(site.url("blank")) for _ in range(2)]
    for tab in tabs:
        tab.evaluate(EVENT_SOURCE_PAGE, "SharedEventSource")
        tab.wait_for("source.readyState === 1")
    site.numbers().publish(1)
    for tab in tabs:
        tab.wait_for("seen.some(([type]) => type === 'number')")
    assert site.state()["streams"] == 1


def test_a_handler_that_throws(site: Site, context: Context) -> None:
    """An error in a handler is reported, and the other handlers get the event nevertheless."""
    tab = site.tab(context)
    tab.evaluate(
        "() => { window.later = 0; stream.on('number', () => { throw new Error('mine'); });"
        " stream.on('number', () => { later += 1; });"
        " stream.onState(() => { throw new Error('state'); });"
        " stream.tap(() => { throw new Error('tap'); }); }"
    )
    assert site.numbers().problems_of(tab) == []
    assert tab.evaluate("later") == 1
    assert sorted(tab.complaints) == ["error: mine", "error: state", "error: tap"]


def test_headers(site: Site, context: Context) -> None:
    """A stream with headers has them in each request, and is not shared."""
    tab = context.tab(site.url("blank"))
    tab.evaluate(
        "async () => { const { connect } = await import('/static/sse-client.js');"
        " let count = 0; window.numbers = [];"
        " window.stream = connect({ headers: () => ({ Authorization: `pass ${count += 1}` }) });"
        " stream.on('number', ({ n }) => numbers.push(n)); }"
    )
    tab.wait_for("stream.lastEventId !== ''")
    assert tab.evaluate("stream.sharing") == "direct"
    site.proxy.cut_streams()
    assert site.numbers().problems_of(tab) == []
    sent = [request.headers["authorization"] for request in site.proxy.streams[-2:]]
    assert sent == ["pass 1", "pass 2"]
