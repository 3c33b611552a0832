"""The start of a stream, and what its browser is told."""

from __future__ import annotations

import pytest

from gateway_shim.protocol.event_stream import BodyFraming, Dialect, Event
from tests.gateway_shim.following_browser import Block, Browser, following, publish
from tests.gateway_shim.hub_errors import soon
from tests.gateway_shim.running_gateway import RunningGateway

ONE, TWO = Block("e-1", "n", "1"), Block("e-2", "n", "2")


def test_a_fresh_stream() -> None:
    """It has a cursor from its first byte on, and starts with what comes next."""
    with following() as running:
        publish(running, "1")
        browser = Browser(running)
        publish(running, "2")
        assert browser.blocks == [Block("e-1"), TWO]


@pytest.mark.parametrize(
    ("last", "url", "expected"),
    [
        ("e-0", "/events", [Block("e-0"), ONE, TWO]),
        ("e-1", "/events", [Block("e-1"), TWO]),
        ("e-2", "/events", [Block("e-2")]),
        ("e-1", "/events?last_event_id=e-0", [Block("e-1"), TWO]),
        ("", "/events?last_event_id=e-1", [Block("e-1"), TWO]),
        ("", "/events?last_event_id=e-2", [Block("e-2")]),
        ("e-3", "/events", [Block("e-2", "resync", '{"reason":"unknown"}')]),
        ("f-1", "/events", [Block("e-2", "resync", '{"reason":"unknown"}')]),
        ("17", "/events", [Block("e-2", "resync", '{"reason":"unknown"}')]),
        ("", "/events?last_event_id=x", [Block("e-2", "resync", '{"reason":"unknown"}')]),
    ],
)
@pytest.mark.parametrize("framing", BodyFraming)
def test_resume(last: str, url: str, expected: list[Block], framing: BodyFraming) -> None:
    """The events after the cursor come first, then what is new. A bad cursor is told, once."""
    with following() as running:
        publish(running, "1", "2")
        browser = Browser(running, last, url=url, framing=framing)
        publish(running, "3")
        soon(lambda: browser.texts[-1:] == ["3"], "the new event")
        assert browser.blocks == [*expected, Block("e-3", "n", "3")]


def test_too_old() -> None:
    """The entry that the cursor names must exist; entries that were trimmed are told."""
    with following(size=1 << 16) as running:
        publish(running, *["x" * 5000] * 30)
        stats = running.stats.log
        assert stats is not None
        assert stats.oldest > 1
        old = Browser(running, f"e-{stats.oldest - 1}")
        assert old.blocks == [Block("e-30", "resync", '{"reason":"too_old"}')]
        oldest = Browser(running, f"e-{stats.oldest}")
        soon(lambda: len(oldest.texts) == 30 - stats.oldest, "the events that are left")
        assert running.stats.resyncs["too_old"] == 1


def test_the_log_is_trimmed_while_the_backend_is_asked() -> None:
    """The stream is told, although its cursor was good when it came."""
    with following(size=1 << 16) as running:
        publish(running, "1")
        running.backend.during = lambda _: publish(running, *["x" * 5000] * 30)
        browser = Browser(running, "e-1")
        assert [block.name for block in browser.blocks] == ["resync"]


def test_order_of_the_first_bytes() -> None:
    """The replay first, then what was sent to the token meanwhile, then live events."""
    with following(dialect=Dialect.ENVELOPE) as running:
        publish(running, "1")

        def during(token: str) -> None:
            running.gateway.send(token, Event("version", "{}"))
            publish(running, "2")

        running.backend.during = during
        browser = Browser(running, "e-0")
        publish(running, "3")
        assert [(block.id, block.name, block.data) for block in browser.blocks] == [
            ("e-0", "", ""),
            ("e-1", "", '{"type":"n","payload":1}'),
            ("e-2", "", '{"type":"n","payload":2}'),
            ("", "", '{"type":"version","payload":{}}'),
            ("", "ready", ""),
            ("e-3", "", '{"type":"n","payload":3}'),
        ]


def test_a_fresh_stream_gets_what_comes_while_its_backend_is_asked() -> None:
    """Nothing is missed between the request and the first byte of the answer."""
    with following() as running:
        running.backend.during = lambda _: publish(running, "1", "2")
        browser = Browser(running)
        soon(lambda: browser.texts == ["1", "2"], "both events")
        assert browser.blocks[0] == Block("e-0")


@pytest.mark.parametrize("last", ["", "e-0", "x-1"])
@pytest.mark.parametrize("framing", BodyFraming)
def test_retry_comes_once(last: str, framing: BodyFraming) -> None:
    """The first event of a stream has ``retry:``, whatever it is, and no other one."""
    with following(retry_ms=7) as running:
        publish(running, "1")
        browser = Browser(running, last, framing=framing)
        publish(running, "2", "3")
        soon(lambda: browser.texts[-1:] == ["3"], "the last event")
        events = [block for block in browser.blocks if block.name]
        assert [event.retry for event in events] == ["7"] + [""] * (len(events) - 1)


def test_a_close_that_was_sent_while_the_backend_was_asked() -> None:
    """The stream gets what it has missed, and then ends."""
    with following() as running:
        publish(running, "1")
        running.backend.during = lambda token: running.gateway.close(token)
        browser = Browser(running, "e-0")
        soon(lambda: browser.read() or browser.raw.endswith(b"0\r\n\r\n"), "the end")
        assert browser.texts == ["1"]


def test_much_was_missed() -> None:
    """More than fits into one write arrives, too, in order."""
    with following(size=16 << 20) as running:
        texts = [f"{number} {'x' * 3000}" for number in range(200)]
        publish(running, *texts)
        browser = Browser(running, "e-0")
        soon(lambda: len(browser.texts) == 200, "all events")
        assert browser.texts == texts


def test_much_was_missed_by_a_slow_client_with_a_small_limit() -> None:
    """The bytes that the kernel does not take at once count against the limit, so they are few."""
    with following(max_buffer_bytes=2048) as running:
        texts = [f"{number} {'x' * 500}" for number in range(60)]
        publish(running, *texts)
        browser = Browser(running, "e-0", send_buffer=2048)
        soon(lambda: len(browser.texts) == 60, "all events")
        assert browser.texts == texts


def test_without_a_log_nothing_changes() -> None:
    """A gateway without a log writes no ids, whatever the browser asks for."""
    with RunningGateway() as running:
        browser = Browser(running, "e-1", url="/events?last_event_id=e-1")
        running.gateway.send(browser.visit.token, Event("n", "1"))
        assert browser.blocks == [Block(name="n", data="1")]
