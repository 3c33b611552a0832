"""The list of streams, compared with what the browsers have got."""

from __future__ import annotations

import gevent
import pytest

from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import BodyFraming, Event
from gateway_shim.streams.reading.listing import Condition, StreamInfo
from gateway_shim.streams.replay import delivery_pass
from tests.gateway_shim.following_browser import Browser, following, publish
from tests.gateway_shim.hub_errors import soon
from tests.gateway_shim.running_gateway import BIG, RunningGateway


def info_of(running: RunningGateway, token: str) -> StreamInfo:
    """Return the line of one stream."""
    (found,) = [info for info in running.gateway.list_streams() if info.token == token]
    return found


def chunked(text: str) -> int:
    """Return the bytes of an event of the text of its block."""
    size = len(text.encode())
    return len(f"{size:x}\r\n\r\n") + size


def received(browser: Browser) -> tuple[int, int]:
    """Return the events that a browser has got, and their bytes as chunks."""
    size = count = 0
    for block in browser.blocks:
        if block.name:
            count += 1
            size += chunked(
                (f"id: {block.id}\n" if block.id else "")
                + f"event: {block.name}\ndata: {block.data}\n\n"
            )
    return count, size


def counted(running: RunningGateway, browser: Browser) -> tuple[int | None, int | None]:
    """Return the events and bytes that the list names for a browser's stream."""
    info = info_of(running, browser.visit.token)
    return info.events, info.sent


# ------------------------------------------------------------------ without a log


def test_without_a_log() -> None:
    """Broadcasts to all, to most and to few streams, and sends, are counted for each stream."""
    with RunningGateway() as running:
        tokens = [running.open("/s?request_id=a")[0] for _ in range(5)]
        event, size = Event("n", "1"), chunked("event: n\ndata: 1\n\n")
        assert running.gateway.broadcast(tuple(tokens), event).delivered == 5
        running.gateway.broadcast(tokens[:4], event)
        running.gateway.broadcast(tokens[:1], event)
        running.gateway.send(tokens[1], event)
        late, _ = running.open()
        running.gateway.broadcast((*tokens, late), event)
        infos = running.gateway.list_streams()
        assert [info.token for info in infos] == [*tokens, late]
        assert [info.events for info in infos] == [4, 4, 3, 3, 2, 1]
        assert [info.sent for info in infos] == [count * size for count in (4, 4, 3, 3, 2, 1)]
        assert {info.condition for info in infos} == {Condition.OPEN}
        assert infos[0].url == "/s?request_id=a"
        assert {(info.events_behind, info.bytes_behind) for info in infos} == {(None, 0)}


def test_events_that_were_held_back() -> None:
    """Events that are sent while the backend is asked count once, when the stream opens."""
    with RunningGateway() as running:
        other, _ = running.open()
        event = Event("n", "1")

        seen: list[StreamInfo] = []

        def during(token: str) -> None:
            running.gateway.broadcast((other, token), event)
            running.gateway.send(token, event)
            seen.append(info_of(running, token))

        running.backend.during = during
        token, _ = running.open()
        assert [(info.condition, info.events) for info in seen] == [(Condition.CONNECTING, 0)]
        assert info_of(running, token).events == 2
        assert info_of(running, other).events == 1
        running.gateway.broadcast((other, token), event)
        assert info_of(running, token).events == 3


def test_a_slow_client_without_a_log() -> None:
    """Bytes that the kernel has not taken do not count as sent."""
    with RunningGateway(max_buffer_bytes=1 << 20) as running:
        token, _ = running.open(send_buffer=4096)
        running.gateway.broadcast([token], Event("n", BIG))
        running.gateway.broadcast([token], Event("n", "1"))
        info = info_of(running, token)
        assert (info.condition, info.events) == (Condition.BEHIND, 2)
        assert info.sent is not None
        assert info.bytes_behind == running.stats.bytes_buffered > 0
        whole = chunked(f"event: n\ndata: {BIG}\n\n") + chunked("event: n\ndata: 1\n\n")
        assert info.sent + info.bytes_behind == whole


def test_a_stream_that_ends() -> None:
    """A closing stream is in the list until its client has the last bytes."""
    with RunningGateway() as running:
        token, _ = running.open(send_buffer=4096)
        running.gateway.send(token, Event("n", BIG))
        running.gateway.close(token)
        info = info_of(running, token)
        assert (info.condition, info.events, info.sent) == (Condition.CLOSING, None, None)
        assert info.bytes_behind > 0


# ------------------------------------------------------------------ with a log


def test_with_a_log() -> None:
    """Events for all, for one, sent and replayed are counted as the browsers have got them."""
    with following() as running:
        running.backend.answer = CallbackAnswer(200, audiences=("r:a",))
        a = Browser(running)
        running.backend.answer = CallbackAnswer(200, audiences=("r:b",))
        b = Browser(running)
        for audience in ("*", "r:a", "*", "r:b", "r:a", "r:c"):
            publish(running, audience, audience=audience)
        running.gateway.send(a.visit.token, Event("own", "1"))
        replayed = Browser(running, "e-1")
        publish(running, "last")
        for browser, events in ((a, 6), (b, 4), (replayed, 3)):
            assert received(browser)[0] == events
            assert counted(running, browser) == received(browser)
        assert {info.events_behind for info in running.gateway.list_streams()} == {0}


def test_an_unknown_cursor() -> None:
    """The event that tells of a loss is counted, too."""
    with following() as running:
        browser = Browser(running, "other-7")
        publish(running, "1")
        assert [block.name for block in browser.blocks] == ["resync", "n"]
        assert counted(running, browser) == received(browser)


@pytest.mark.parametrize("framing", BodyFraming)
def test_a_stream_that_is_behind(framing: BodyFraming) -> None:
    """A slow reader's events are counted when the kernel has them, and exactly in the end."""
    with following(size=1 << 22) as running:
        slow, fast = Browser(running, send_buffer=4096, framing=framing), Browser(running)
        for number in range(300):
            publish(running, f"{number} {'x' * 500}")
            fast.read()
        running.gateway.send(slow.visit.token, Event("own", "1"))
        publish(running, "last")
        info = info_of(running, slow.visit.token)
        assert (info.condition, info.sent is not None) == (Condition.BEHIND, True)
        assert info.events is not None
        assert info.events_behind is not None
        assert info.events < 300
        # The own event counts from the start. One entry may be written in part.
        assert info.events + info.events_behind in (302, 303)
        assert info.bytes_behind > 100_000
        slow.wait_for("last")
        soon(lambda: not running.stats.streams_behind, "the stream to be live")
        publish(running, "live")
        slow.wait_for("live")
        events, size = counted(running, slow)
        assert events == received(slow)[0]
        # Of a bare body, an event that was written in part is counted without a chunk's head.
        missing = received(slow)[1] - (size or 0)
        assert 0 <= missing < (8 if framing is BodyFraming.BARE else 1)
        assert counted(running, fast) == received(fast)
        assert info_of(running, slow.visit.token).condition is Condition.OPEN


def test_a_reader_that_is_too_slow() -> None:
    """Events that a stream has missed are not counted."""
    with following(size=1 << 16) as running:
        slow = Browser(running, send_buffer=4096)
        for number in range(200):
            publish(running, f"{number} {'x' * 5000}")
        soon(lambda: "resync" in [block.name for block in slow.blocks], "the resync")
        publish(running, "new")
        slow.wait_for("new")
        soon(lambda: not running.stats.streams_behind, "the stream to be live")
        publish(running, "live")
        slow.wait_for("live")
        assert counted(running, slow) == received(slow)


def test_streams_that_open_during_a_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that opens in the middle of a delivery counts the event that it reads itself."""
    with following() as running:
        browsers = [Browser(running), Browser(running)]

        def open_more() -> None:
            monkeypatch.setattr(delivery_pass, "let_others_run_if_due", lambda: None)
            browsers.extend([Browser(running), Browser(running, "e-0")])

        monkeypatch.setattr(delivery_pass, "YIELD_EVERY", 1)
        monkeypatch.setattr(delivery_pass, "let_others_run_if_due", open_more)
        publish(running, "1")
        publish(running, "2")
        for browser in browsers:
            browser.wait_for("2")
        soon(lambda: not running.stats.streams_behind, "all streams to be live")
        for browser in browsers:
            assert counted(running, browser) == received(browser)


def test_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long list lets other greenlets run, and a stream that ends meanwhile does not disturb."""
    monkeypatch.setattr("gateway_shim.event_loop.turns.SLICE_SECONDS", 0.0)
    with RunningGateway() as running:
        tokens = [running.open()[0] for _ in range(3)]
        listing = gevent.spawn(running.gateway.list_streams)
        gevent.sleep(0)
        running.gateway.close(tokens[2])
        assert [info.token for info in listing.get()] == tokens
