"""Sends, to clients that read and clients that do not."""

from __future__ import annotations

import logging
import socket
from typing import Any

import gevent
import pytest

from gateway_shim.errors import UnknownToken, WriteFailed
from gateway_shim.protocol import event_stream as wire
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import Event
from gateway_shim.streams.gateway import SendStatus
from tests.gateway_shim.streams.rig import BIG, Rig, warnings_of
from tests.support.http.message import Ended
from tests.support.http.sse_parser import SSEEvent
from tests.support.timing import wait_until


def test_send(rig: Rig) -> None:
    """An event is one chunk, written at once; a send of nothing writes nothing."""
    token, stream = rig.open()
    assert rig.gateway.send(token, Event("n", "1")) is SendStatus.OK
    assert rig.gateway.send(token) is SendStatus.OK
    assert rig.gateway.send(token, Event(None, "2\n3")) is SendStatus.OK
    assert stream.next_event() == SSEEvent("n", "1")
    assert stream.next_event() == SSEEvent("message", "2\n3")
    assert stream.chunks == [b"event: n\ndata: 1\n\n", b"data: 2\ndata: 3\n\n"]


def test_send_event_then_close(rig: Rig) -> None:
    """A send may do both: the event first, then the close, and the token is gone at once."""
    token, stream = rig.open()
    assert rig.gateway.send(token, Event("n", "1"), close=True) is SendStatus.OK
    with pytest.raises(UnknownToken):
        rig.gateway.send(token, Event("n", "2"))
    assert stream.wait_for_end() is Ended.CLEAN
    assert stream.events == [SSEEvent("n", "1")]
    assert rig.wait_reason(token) == "server_closed"


def test_close(rig: Rig) -> None:
    """A close is the final chunk, then the end; twice is once too often."""
    token, stream = rig.open()
    rig.gateway.close(token)
    with pytest.raises(UnknownToken):
        rig.gateway.close(token)
    assert stream.wait_for_end() is Ended.CLEAN
    assert stream.connection.wait_closed() is Ended.EOF
    assert rig.gateway.stats.closed == {"client_closed": 0, "server_closed": 1, "error": 0}
    assert rig.gateway.stats.active == 0


def test_unknown_token(rig: Rig) -> None:
    """A send to a token that never was names it."""
    with pytest.raises(UnknownToken) as caught:
        rig.gateway.send("nobody", Event(None, ""))
    assert caught.value.token == "nobody"


def test_write_fails(rig: Rig) -> None:
    """A send whose write fails ends the stream for the reason error."""
    token, stream = rig.open()
    stream.connection.socket.shutdown(socket.SHUT_RDWR)  # and no switch before the send
    with pytest.raises(WriteFailed) as caught:
        rig.gateway.send(token, Event(None, "x"), close=True)
    assert caught.value.token == token
    with pytest.raises(UnknownToken):
        rig.gateway.send(token, Event(None, "x"))
    assert rig.wait_reason(token) == "error"
    assert rig.gateway.stats.closed == {"client_closed": 0, "server_closed": 0, "error": 1}
    assert rig.gateway.stats.slow_consumers_ended == 0


def test_close_fails(rig: Rig) -> None:
    """A close that cannot be written any more still was the server's."""
    token, stream = rig.open()
    stream.connection.socket.shutdown(socket.SHUT_RDWR)
    assert rig.gateway.send(token, close=True) is SendStatus.OK
    assert rig.wait_reason(token) == "server_closed"
    assert rig.gateway.stats.closed == {"client_closed": 0, "server_closed": 1, "error": 0}
    assert not rig.gateway._streams.closing


@pytest.mark.parametrize("http_1_0", [False, True])
def test_slow_client_gets_everything(rig: Rig, http_1_0: bool) -> None:
    """What the kernel does not take is kept, and arrives whole and in order, the end last."""
    token, stream = rig.open(http_1_0=http_1_0)
    for number in range(3):
        assert rig.gateway.send(token, Event(str(number), BIG)) is SendStatus.OK
    assert rig.gateway.stats.bytes_buffered > 300_000
    rig.gateway.send(token, Event("last", "1"), close=True)
    assert rig.wait_reason(token) == "server_closed"
    assert rig.gateway.stats.bytes_buffered > 300_000, "what is ending is still counted"
    assert stream.wait_for_end() is Ended.CLEAN
    assert [(event.type, len(event.data)) for event in stream.events] == [
        ("0", 300_000),
        ("1", 300_000),
        ("2", 300_000),
        ("last", 1),
    ]
    assert rig.gateway.stats.bytes_buffered == 0


def test_outbox_empties_and_fills_again(rig: Rig) -> None:
    """After a client has caught up, sends are written directly again."""
    token, stream = rig.open()
    for number in range(3):
        rig.gateway.send(token, Event(str(number), BIG))
        stream.wait_for(str(number))
        assert rig.gateway.stats.bytes_buffered == 0


def flood(rig: Rig, token: str) -> None:
    """Send, letting others run in between, until the stream does not survive it."""
    while True:
        rig.gateway.send(token, Event(None, "x" * 100))
        assert rig.gateway.stats.bytes_buffered <= 1000
        gevent.sleep(0)


def test_slow_consumer(caplog: pytest.LogCaptureFixture) -> None:
    """A client that leaves more unread than the bound is ended: counted once, logged once."""
    with Rig(max_buffer_bytes=1000) as rig:
        token, stream = rig.open(send_buffer=4096)
        with pytest.raises(WriteFailed):
            flood(rig, token)
        assert rig.wait_reason(token) == "error"
        assert warnings_of(caplog) == [("slow consumer ended", token)]
        stats = rig.gateway.stats
        assert (stats.slow_consumers_ended, stats.active, stats.bytes_buffered) == (1, 0, 0)
        assert stats.closed == {"client_closed": 0, "server_closed": 0, "error": 1}
        assert stream.wait_for_end() is not Ended.CLEAN


def test_one_event_beyond_the_bound() -> None:
    """A single event that is larger than the bound ends a client that does not take it."""
    with Rig(max_buffer_bytes=1000) as rig:
        token, _ = rig.open()
        with pytest.raises(WriteFailed):
            rig.gateway.send(token, Event(None, BIG))
        assert rig.wait_reason(token) == "error"
        assert rig.gateway.stats.slow_consumers_ended == 1


def test_close_of_a_full_stream() -> None:
    """A stream that is as full as it may be still ends cleanly, and is no slow consumer."""
    with Rig(max_buffer_bytes=30) as rig:
        token, stream = rig.open(send_buffer=4096)
        assert rig.stall(token) == 13
        rig.gateway.send(token, Event(None, ""))
        rig.gateway.close(token)
        assert rig.wait_reason(token) == "server_closed"
        assert rig.gateway.stats.slow_consumers_ended == 0
        assert stream.wait_for_end() is Ended.CLEAN
        wait_until(lambda: not rig.gateway._streams.closing, "the last bytes to be gone")


# ------------------------------------------------------------------------- while a log line waits


class YieldingHandler(logging.Handler):
    """A handler that lets others run while it writes, as one that writes to a socket does."""

    def emit(self, record: logging.LogRecord) -> None:
        """Take some turns of the hub, with the handler's lock held as always."""
        for _ in range(5):
            gevent.sleep(0)


@pytest.fixture
def yielding_log() -> Any:
    """Log lines that take time, for all of the package's loggers."""
    logger = logging.getLogger("gateway_shim")
    handler, level = YieldingHandler(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_head_comes_first_whatever_the_log_does(rig: Rig, yielding_log: Any) -> None:
    """Whoever sends while "stream opened" is being logged does not get before the head."""
    visit = rig.visit()
    wait_until(lambda: rig.gateway.send(visit.token, Event(None, "x")), "a send")
    assert visit.stream().next_event().data == "x"


def test_client_goes_while_the_log_is_busy(rig: Rig, yielding_log: Any) -> None:
    """The hub never waits for a log handler: a client's going is noted all the same."""
    token, stream = rig.open()
    logging.getLogger("gateway_shim").info("something else")
    busy = gevent.spawn(logging.getLogger("gateway_shim").info, "something else")
    gevent.sleep(0)
    stream.close()
    assert rig.wait_reason(token) == "client_closed"
    busy.join()


def test_two_senders_to_one_slow_consumer(
    yielding_log: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A slow consumer is counted and logged once, though another sends while that is logged."""
    with Rig(max_buffer_bytes=1000) as rig:
        token, _ = rig.open(send_buffer=4096)

        def sender() -> None:
            with pytest.raises((WriteFailed, UnknownToken)):
                flood(rig, token)

        gevent.joinall([gevent.spawn(sender) for _ in range(3)], raise_error=True)
        assert rig.gateway.stats.slow_consumers_ended == 1
        assert warnings_of(caplog) == [("slow consumer ended", token)]


def test_rejection_while_the_log_is_busy(yielding_log: Any) -> None:
    """A client that goes while its rejection is logged leaves no descriptor behind."""
    with Rig(dialect=wire.Dialect.ENVELOPE) as rig:
        rig.backend.answer = CallbackAnswer(401)
        rig.backend.during = lambda token: gevent.sleep(0)
        visit = rig.visit()
        visit.client.close()
        assert visit.outcome() is None
        assert visit.server.fileno() == -1
