"""Sends, to clients that read and clients that do not."""

from __future__ import annotations

import logging
import socket
from collections import Counter
from typing import Any

import gevent
import pytest

from gateway_shim.errors import UnknownToken, WriteFailed
from gateway_shim.protocol import event_stream
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import BodyFraming, Event, Frame
from gateway_shim.protocol.results import OpenResult, SendStatus
from gateway_shim.streams.connection import Connection
from tests.gateway_shim.running_gateway import BIG, RunningGateway, warnings_of
from tests.support.http.message import Ended
from tests.support.http.sse_parser import SSEEvent
from tests.support.timing import wait_until


def test_send(running: RunningGateway) -> None:
    """An event is one chunk, written at once; a send of nothing writes nothing."""
    token, stream = running.open()
    assert running.gateway.send(token, Event("n", "1")) is SendStatus.OK
    assert running.gateway.send(token) is SendStatus.OK
    assert running.gateway.send(token, Event(None, "2\n3")) is SendStatus.OK
    assert stream.next_event() == SSEEvent("n", "1")
    assert stream.next_event() == SSEEvent("message", "2\n3")
    assert stream.chunks == [b"event: n\ndata: 1\n\n", b"data: 2\ndata: 3\n\n"]


def test_send_event_then_close(running: RunningGateway) -> None:
    """A send may do both: the event first, then the close; the token is unknown at once."""
    token, stream = running.open()
    assert running.gateway.send(token, Event("n", "1"), close=True) is SendStatus.OK
    with pytest.raises(UnknownToken):
        running.gateway.send(token, Event("n", "2"))
    assert stream.wait_for_end() is Ended.CLEAN
    assert stream.events == [SSEEvent("n", "1")]
    assert running.wait_reason(token) == "server_closed"


def test_a_stream_that_is_closed_during_a_send(
    running: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A send that says close succeeds if the stream was closed while a log line let others run."""
    token, stream = running.open()
    streams = running.gateway._streams
    write = streams.write

    def write_while_another_closes(connection: Connection, frame: Frame) -> bool:
        written = write(connection, frame)
        streams.close(connection)
        return written

    monkeypatch.setattr(streams, "write", write_while_another_closes)
    assert running.gateway.send(token, Event("n", "1"), close=True) is SendStatus.OK
    assert stream.wait_for_end() is Ended.CLEAN
    assert stream.events == [SSEEvent("n", "1")]


def test_close(running: RunningGateway) -> None:
    """A close writes the final chunk and ends the stream; a second close finds no stream."""
    token, stream = running.open()
    running.gateway.close(token)
    with pytest.raises(UnknownToken):
        running.gateway.close(token)
    assert stream.wait_for_end() is Ended.CLEAN
    assert stream.connection.wait_closed() is Ended.EOF
    assert running.stats.closed == Counter(server_closed=1)
    assert running.stats.active == 0


def test_unknown_token(running: RunningGateway) -> None:
    """The error of a send to an unknown token names the token."""
    with pytest.raises(UnknownToken) as caught:
        running.gateway.send("nobody", Event(None, ""))
    assert caught.value.token == "nobody"


def test_write_fails(running: RunningGateway) -> None:
    """A send whose write fails ends the stream for the reason error."""
    token, stream = running.open()
    stream.connection.socket.shutdown(socket.SHUT_RDWR)  # and no switch before the send
    with pytest.raises(WriteFailed) as caught:
        running.gateway.send(token, Event(None, "x"), close=True)
    assert caught.value.token == token
    with pytest.raises(UnknownToken):
        running.gateway.send(token, Event(None, "x"))
    assert running.wait_reason(token) == "error"
    assert running.stats.closed == Counter(error=1)
    assert running.stats.slow_consumers_ended == 0


def test_close_fails(running: RunningGateway) -> None:
    """A close that cannot be written still ends the stream for the reason server_closed."""
    token, stream = running.open()
    stream.connection.socket.shutdown(socket.SHUT_RDWR)
    assert running.gateway.send(token, close=True) is SendStatus.OK
    assert running.wait_reason(token) == "server_closed"
    assert running.stats.closed == Counter(server_closed=1)
    assert not running.gateway._streams.closing


@pytest.mark.parametrize("framing", BodyFraming)
def test_slow_client_gets_everything(running: RunningGateway, framing: BodyFraming) -> None:
    """Bytes that the kernel does not take arrive whole and in order, the end last."""
    token, stream = running.open(framing=framing)
    for number in range(3):
        assert running.gateway.send(token, Event(str(number), BIG)) is SendStatus.OK
    assert running.stats.bytes_buffered > 300_000
    running.gateway.send(token, Event("last", "1"), close=True)
    assert running.wait_reason(token) == "server_closed"
    assert running.stats.bytes_buffered > 300_000, "what is ending is still counted"
    assert stream.wait_for_end() is Ended.CLEAN
    assert [(event.type, len(event.data)) for event in stream.events] == [
        ("0", 300_000),
        ("1", 300_000),
        ("2", 300_000),
        ("last", 1),
    ]
    assert running.stats.bytes_buffered == 0


def test_outbox_empties_and_fills_again(running: RunningGateway) -> None:
    """After a client has caught up, sends are written directly again."""
    token, stream = running.open()
    for number in range(3):
        running.gateway.send(token, Event(str(number), BIG))
        stream.wait_for(str(number))
        assert running.stats.bytes_buffered == 0


def flood(running: RunningGateway, token: str) -> None:
    """Send, and let others run in between, until the stream has to end."""
    while True:
        running.gateway.send(token, Event(None, "x" * 100))
        assert running.stats.bytes_buffered <= 1000
        gevent.sleep(0)


def test_slow_consumer(caplog: pytest.LogCaptureFixture) -> None:
    """A client that leaves too much unread is ended: counted once, logged once."""
    with RunningGateway(max_buffer_bytes=1000) as running:
        token, stream = running.open(send_buffer=4096)
        with pytest.raises(WriteFailed):
            flood(running, token)
        assert running.wait_reason(token) == "error"
        assert warnings_of(caplog) == [("slow consumer ended", token)]
        stats = running.stats
        assert (stats.slow_consumers_ended, stats.active, stats.bytes_buffered) == (1, 0, 0)
        assert stats.closed == Counter(error=1)
        assert stream.wait_for_end() is not Ended.CLEAN


def test_one_event_beyond_the_bound() -> None:
    """One event that is larger than the bound ends a client that does not take it."""
    with RunningGateway(max_buffer_bytes=1000) as running:
        token, _ = running.open()
        with pytest.raises(WriteFailed):
            running.gateway.send(token, Event(None, BIG))
        assert running.wait_reason(token) == "error"
        assert running.stats.slow_consumers_ended == 1


def test_close_of_a_full_stream() -> None:
    """A stream with a full outbox still ends cleanly, and is not a slow consumer."""
    with RunningGateway(max_buffer_bytes=30) as running:
        token, stream = running.open(send_buffer=4096)
        assert running.stall(token) == 13
        running.gateway.send(token, Event(None, ""))
        running.gateway.close(token)
        assert running.wait_reason(token) == "server_closed"
        assert running.stats.slow_consumers_ended == 0
        assert stream.wait_for_end() is Ended.CLEAN
        wait_until(lambda: not running.gateway._streams.closing, "the last bytes to be gone")


# ------------------------------------------------------------------------- while a log line waits


class YieldingHandler(logging.Handler):
    """A log handler that lets others run while it writes, as one that writes to a socket does."""

    def emit(self, record: logging.LogRecord) -> None:
        """Let others run five times, with the handler's lock held as always."""
        for _ in range(5):
            gevent.sleep(0)


@pytest.fixture
def yielding_log() -> Any:
    """Make log lines of the package take time."""
    logger = logging.getLogger("gateway_shim")
    handler, level = YieldingHandler(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_head_comes_first_whatever_the_log_does(running: RunningGateway, yielding_log: Any) -> None:
    """An event that is sent while "stream opened" is logged comes after the head."""
    visit = running.visit()
    wait_until(lambda: running.gateway.send(visit.token, Event(None, "x")), "a send")
    assert visit.stream().next_event().data == "x"


def test_client_goes_while_the_log_is_busy(running: RunningGateway, yielding_log: Any) -> None:
    """A client's end is noticed while a log handler is busy: the hub never waits for it."""
    token, stream = running.open()
    logging.getLogger("gateway_shim").info("something else")
    busy = gevent.spawn(logging.getLogger("gateway_shim").info, "something else")
    gevent.sleep(0)
    stream.close()
    assert running.wait_reason(token) == "client_closed"
    busy.join()


def test_two_senders_to_one_slow_consumer(
    yielding_log: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A slow consumer is counted and logged once, also if others send while it is logged."""
    with RunningGateway(max_buffer_bytes=1000) as running:
        token, _ = running.open(send_buffer=4096)

        def sender() -> None:
            with pytest.raises((WriteFailed, UnknownToken)):
                flood(running, token)

        gevent.joinall([gevent.spawn(sender) for _ in range(3)], raise_error=True)
        assert running.stats.slow_consumers_ended == 1
        assert warnings_of(caplog) == [("slow consumer ended", token)]


def test_rejection_while_the_log_is_busy(yielding_log: Any) -> None:
    """A client that leaves while its rejection is logged leaves no descriptor behind."""
    with RunningGateway(dialect=event_stream.Dialect.ENVELOPE) as running:
        running.backend.answer = CallbackAnswer(401)
        running.backend.during = lambda token: gevent.sleep(0)
        visit = running.visit()
        visit.client.close()
        assert visit.outcome() is OpenResult.REJECTED
        assert visit.server.fileno() == -1
