"""Delivery: one order for all streams, and who is live."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import gevent
import pytest

from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import MemoryLog
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import Event
from gateway_shim.streams.connection import Connection
from gateway_shim.streams.replay import delivery_pass
from gateway_shim.streams.replay.delivery import Delivery
from tests.gateway_shim.following_browser import Block, Browser, following, publish
from tests.gateway_shim.hub_errors import soon
from tests.gateway_shim.running_gateway import RunningGateway
from tests.support.timing import wait_until


def delivery_of(running: RunningGateway) -> Delivery:
    """Return the delivery of a started gateway."""
    following = running.gateway._following
    assert following is not None
    return following._delivery


def connection_of(running: RunningGateway, browser: Browser) -> Connection:
    """Return the connection of a browser's stream."""
    return running.gateway._streams.by_token[browser.visit.token]


class TwoProcesses(MemoryLog):
    """The log of this process, to which another process appends, too."""

    def append_elsewhere(self, text: str, audience: str = "*") -> None:
        """Append as another process does: nobody here publishes."""
        self.append(audience, b"event: n\ndata: %b\n\n" % text.encode())


def test_entries_of_another_process() -> None:
    """Entries of another process are delivered in order, without a publisher here."""
    log = TwoProcesses(LogLimits(1 << 20), epoch="e")
    with RunningGateway(open_log=lambda: log) as running:
        browser = Browser(running)
        for text in ("1", "2", "3"):
            log.append_elsewhere(text)
        assert [block.id for block in browser.wait_for("3")] == ["e-0", "e-1", "e-2", "e-3"]
        log.append_elsewhere("4")
        assert running.gateway.publish(Event("n", "5")).id == "e-5"
        assert browser.texts == ["1", "2", "3", "4", "5"]
        # Those of another process are counted here, because nobody counts them there.
        log.append_elsewhere("of another stream", audience="r:x")
        wait_until(lambda: running.gateway.last_event_id == "e-6", "the last entry")
        assert running.gateway.read_stats().delivered_for_others == 4


def test_audiences() -> None:
    """A stream gets what is for everyone and for its audiences, live and in a replay."""
    with following() as running:
        running.backend.answer = CallbackAnswer(200, audiences=("r:a", "u:x", "t:y"))
        a = Browser(running)
        running.backend.answer = CallbackAnswer(200, audiences=("r:b", "u:x"))
        b = Browser(running)
        for audience in ("r:a", "r:b", "u:x", "t:y", "*", "r:c"):
            publish(running, audience, audience=audience)
        assert (a.texts, b.texts) == (["r:a", "u:x", "t:y", "*"], ["r:b", "u:x", "*"])
        assert Browser(running, "e-0").texts == ["r:b", "u:x", "*"]
        running.backend.answer = CallbackAnswer(200)
        assert Browser(running, "e-0").texts == ["*"]
        b.close()
        soon(lambda: running.gateway.active < 4, "the stream to end")
        assert running.gateway.publish(Event("n", "2"), "r:b").delivered == 1
        assert running.gateway.publish(Event("n", "3"), "u:x").delivered == 2


def test_a_slow_reader_misses_nothing() -> None:
    """A client that stops and goes on gets every event once, and is live again."""
    with following(size=1 << 22) as running:
        slow, fast = Browser(running, send_buffer=4096), Browser(running)
        texts = [f"{number} {'x' * 500}" for number in range(600)]
        for text in texts:
            publish(running, text)
            fast.read()
        assert running.stats.streams_behind == 1
        assert running.stats.bytes_behind > 100_000
        assert running.stats.bytes_buffered == 0
        assert slow.wait_for(texts[-1])
        assert slow.texts == fast.texts == texts
        soon(lambda: connection_of(running, slow).backlog is None, "the stream to be live")
        assert running.gateway.publish(Event("n", "live")).delivered == 2
        assert slow.texts[-1] == "live"
        assert running.stats.streams_behind == 0


def test_a_reader_that_is_too_slow_is_told() -> None:
    """If the log is too short, there is one resync, and nothing is torn or doubled."""
    with following(size=1 << 16) as running:
        slow = Browser(running, send_buffer=4096)
        texts = [f"{number} {'x' * 5000}" for number in range(200)]
        publish(running, *texts)
        soon(lambda: "resync" in [block.name for block in slow.blocks], "the resync")
        publish(running, "new")
        blocks = slow.wait_for("new")
        lost = [index for index, block in enumerate(blocks) if block.name == "resync"]
        assert len(lost) == 1
        assert blocks[lost[0]][:3] == (f"e-{len(texts)}", "resync", '{"reason":"lagging"}')
        got = slow.texts
        assert got == [*texts[: lost[0] - 1], "new"]  # the first block is no event
        assert running.stats.resyncs == Counter(lagging=1)


def test_nobody_becomes_live_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that opens or catches up during a delivery gets that event once, and the next."""
    with following() as running:
        first = Browser(running)
        publish(running, "1")
        opened: list[Browser] = []

        def open_more() -> None:
            if len(opened) < 2:
                last = f"e-{running.gateway.last_event_id[2:]}" if opened else ""  # type: ignore[index]
                opened.append(Browser(running, last))

        monkeypatch.setattr(delivery_pass, "let_others_run_if_due", open_more)
        monkeypatch.setattr(delivery_pass, "YIELD_EVERY", 1)
        second = Browser(running)
        publish(running, "2")
        assert len(opened) == 1
        publish(running, "3")
        publish(running, "4")
        for browser, expected in (
            (first, ["1", "2", "3", "4"]),
            (second, ["2", "3", "4"]),
            (opened[0], ["2", "3", "4"]),
            (opened[1], ["3", "4"]),
        ):
            soon(lambda b=browser: b.texts and b.texts[-1] == "4", "the last event")  # type: ignore[misc]
            assert browser.texts == expected
        assert running.stats.joiners == 0
        assert running.stats.streams_behind == 0


def test_a_cursor_ahead_of_this_process() -> None:
    """A browser that has seen more than this process waits, and gets nothing twice."""
    log = TwoProcesses(LogLimits(1 << 20), epoch="e")
    with RunningGateway(open_log=lambda: log) as running:
        delivery = delivery_of(running)
        delivery.publishers += 1  # so that this process delivers nothing yet
        log.append_elsewhere("1")
        log.append_elsewhere("2")
        browser = Browser(running, "e-2")
        assert running.stats.joiners == 1
        assert connection_of(running, browser).direct is None
        delivery.publishers -= 1
        delivery.appended()
        soon(lambda: delivery.completed == 2, "the delivery")
        assert running.stats.joiners == 0
        publish(running, "3")
        assert browser.texts == ["3"]


def test_a_delivery_that_is_interrupted_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the publisher is killed in the middle, the other streams still get the event, once."""
    with following() as running:
        browsers = [Browser(running) for _ in range(5)]
        monkeypatch.setattr(delivery_pass, "YIELD_EVERY", 2)
        monkeypatch.setattr(delivery_pass, "let_others_run_if_due", lambda: gevent.sleep(0))
        publisher = gevent.spawn(publish, running, "1")
        soon(lambda: any(browser.texts for browser in browsers), "the first batch")
        assert not all(browser.texts for browser in browsers)
        publisher.kill()
        for browser in browsers:
            browser.wait_for("1")
        publish(running, "2")
        assert [browser.texts for browser in browsers] == [["1", "2"]] * 5


def test_own_bytes_in_the_middle_of_a_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    """A send to a token that the kernel takes in part does not double or lose the entry."""
    with following() as running:
        browsers = [Browser(running, send_buffer=4096) for _ in range(3)]
        own = "o" * 300_000

        def send_to_all() -> None:
            monkeypatch.setattr(delivery_pass, "let_others_run_if_due", lambda: None)
            for browser in browsers:
                running.gateway.send(browser.visit.token, Event("own", own))

        monkeypatch.setattr(delivery_pass, "YIELD_EVERY", 1)
        monkeypatch.setattr(delivery_pass, "let_others_run_if_due", send_to_all)
        publish(running, "1")
        publish(running, "2")
        for browser in browsers:
            browser.wait_for("2")
            assert browser.texts == ["1", "2"]
            assert [block.data for block in browser.blocks if block.name == "own"] == [own]


def test_heartbeats_tell_how_far_a_stream_is() -> None:
    """A heartbeat has an id if the position has moved since the stream's last id."""
    now = [0.0]
    with following(clock=lambda: now[0], heartbeat_interval=10) as running:
        browser = Browser(running)

        def beat() -> Block:
            now[0] += 10
            running.gateway._heartbeats.beat_due()
            return browser.blocks[-1]

        assert browser.blocks == [Block(id="e-0")]
        assert beat() == Block()
        publish(running, "x", "y", audience="r:other")
        assert beat() == Block(id="e-2")
        assert beat() == Block()
        publish(running, "1")
        assert beat() == Block()
        publish(running, "z", audience="r:other")
        assert beat() == Block(id="e-4")
        resumed = Browser(running, "e-4")
        assert resumed.blocks == [Block(id="e-4")]
        now[0] += 10
        running.gateway._heartbeats.beat_due()
        assert resumed.blocks == [Block(id="e-4"), Block()]


def test_no_heartbeat_in_the_middle_of_a_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    """A heartbeat waits for the end of a delivery: its stream may not have the entry yet."""
    now = [0.0]
    with following(clock=lambda: now[0], heartbeat_interval=10) as running:
        browsers = [Browser(running) for _ in range(3)]
        monkeypatch.setattr(delivery_pass, "YIELD_EVERY", 1)
        monkeypatch.setattr(delivery_pass, "let_others_run_if_due", lambda: gevent.sleep(0))
        publish(running, "x", audience="r:other")
        now[0] += 10
        publisher = gevent.spawn(publish, running, "1")
        beats = gevent.spawn(running.gateway._heartbeats.beat_due)
        gevent.joinall([publisher, beats], raise_error=True)
        for browser in browsers:
            assert browser.blocks[1:] == [Block("e-2", "n", "1"), Block()]


def test_a_new_epoch() -> None:
    """All streams are told once, whether they are live, behind or waiting; then they go on."""
    log = TwoProcesses(LogLimits(1 << 22), epoch="e")
    with RunningGateway(open_log=lambda: log) as running:
        live, slow = Browser(running), Browser(running, send_buffer=4096)
        publish(running, *["x" * 50_000] * 10)
        live.read()
        before = log.newest
        delivery_of(running).trimming(before)
        fresh = TwoProcesses(LogLimits(1 << 20), epoch="f")
        log.epoch, log._segments, log._memory = "f", fresh._segments, fresh._memory
        late = Browser(running, "e-3")
        publish(running, "new")
        for browser in (live, slow, late):
            blocks = browser.wait_for("new")
            told = [block for block in blocks if block.name == "resync"]
            assert told == [Block("f-0", "resync", '{"reason":"unknown"}')]
            assert blocks[-1] == Block("f-1", "n", "new")
        assert running.gateway.last_event_id == "f-1"


def test_a_process_that_was_stopped_for_too_long() -> None:
    """If entries were trimmed before this process has delivered them, its streams are told."""
    log = TwoProcesses(LogLimits(1 << 16), epoch="e")
    with RunningGateway(open_log=lambda: log) as running:
        browser = Browser(running)
        for _ in range(30):
            log.append_elsewhere("x" * 5000)
        blocks = soon(lambda: [b for b in browser.blocks if b.name], "the resync")
        assert blocks == [Block(f"e-{log.newest}", "resync", '{"reason":"lagging"}')]
        publish(running, "new")
        assert browser.texts == ["new"]


def test_drain_while_behind() -> None:
    """A stream that ends gets all that was published before its farewell, and nothing after it."""
    with following() as running:
        slow = Browser(running, send_buffer=4096)
        texts: Sequence[str] = [f"{number} {'x' * 5000}" for number in range(50)]
        publish(running, *texts)
        running.gateway.close(slow.visit.token)
        publish(running, "after the end")
        soon(lambda: slow.raw.endswith(b"0\r\n\r\n") or slow.read(), "the end")
        assert slow.texts == texts
        assert running.stats.streams_behind == 0
