"""gateway_shim.gateway: sends and broadcasts, to clients that read and clients that do not."""

from __future__ import annotations

import logging
import socket
from typing import Any

import gevent
import pytest

from gateway_shim import wire
from gateway_shim.callbacks import CallbackAnswer
from gateway_shim.errors import UnknownToken, WriteFailed
from gateway_shim.gateway import BroadcastResult, SendStatus
from gateway_shim.turns import let_others_run
from gateway_shim.wire import Event
from tests.gateway_shim.rig import Rig
from tests.support.http_message import Ended
from tests.support.sse_client import SSEEvent
from tests.support.timing import wait_until

BIG = "x" * 300_000
"""More than the kernel holds for a socket pair whose other end does not read."""


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[tuple[str, Any]]:
    """The gateway's warnings, and which token each is about."""
    return [
        (record.message, getattr(record, "token", None))
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.startswith("gateway_shim")
    ]


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


def test_slow_consumers_in_a_broadcast(caplog: pytest.LogCaptureFixture) -> None:
    """A broadcast ends those that are too slow, and reaches the others."""
    with Rig(max_buffer_bytes=1000) as rig:
        (slow, _), (quick, stream) = rig.open(send_buffer=4096), rig.open()
        results = []
        for number in range(100):
            results.append(rig.gateway.broadcast([slow, quick], Event(str(number), "x" * 200)))
            stream.wait_for(str(number))
        ended = results.index(BroadcastResult(1, ()))
        assert results == (
            [BroadcastResult(2, ())] * ended
            + [BroadcastResult(1, ())]
            + [BroadcastResult(1, (slow,))] * (99 - ended)
        )
        assert warnings_of(caplog) == [("slow consumer ended", slow)]
        assert rig.gateway.stats.slow_consumers_ended == 1
        assert rig.wait_reason(slow) == "error"


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


# ------------------------------------------------------------------------- broadcasts


def test_broadcast(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stream gets the event, encoded once; tokens that are not there are reported."""
    (a, one), (b, two) = rig.open(), rig.open(http_1_0=True)
    encoded = []
    encode = wire.encode

    def counting(event: Event, dialect: wire.Dialect) -> bytes:
        encoded.append(event)
        return encode(event, dialect)

    monkeypatch.setattr(wire, "encode", counting)
    event = Event("n", "1")
    result = rig.gateway.broadcast(["x", a, "y", b], event)
    assert result == BroadcastResult(delivered=2, unknown=("x", "y"))
    assert encoded == [event]
    assert [stream.next_event() for stream in (one, two)] == [SSEEvent("n", "1")] * 2
    assert (one.chunks, two.chunks) == ([b"event: n\ndata: 1\n\n"], [])
    assert rig.gateway.stats.broadcasts == 1


def test_broadcast_to_nobody(rig: Rig) -> None:
    """A broadcast without tokens delivers nothing."""
    assert rig.gateway.broadcast([], Event("n", "1")) == BroadcastResult(0, ())


def test_broadcast_write_fails(rig: Rig) -> None:
    """A stream whose write fails is not delivered to, and not unknown either: it has ended."""
    token, stream = rig.open()
    stream.connection.socket.shutdown(socket.SHUT_RDWR)
    assert rig.gateway.broadcast([token], Event(None, "x")) == BroadcastResult(0, ())
    assert rig.wait_reason(token) == "error"


def test_broadcasts_take_turns(rig: Rig) -> None:
    """Concurrent broadcasts arrive in one order everywhere, though each yields on the way."""
    opened = [rig.open() for _ in range(10)]
    tokens = [token for token, _ in opened]
    # Unknown ones between them: enough of them for several yields.
    crowd = [name for token in tokens for name in [token, *["nobody"] * 100]]

    def broadcast(source: str, names: list[str]) -> None:
        for number in range(5):
            result = rig.gateway.broadcast(names, Event(source, str(number)))
            assert result.delivered == 10
            gevent.sleep(0)

    # From both ends: without turns, the first stream would see another order than the last.
    orders_of_tokens = [crowd, crowd[::-1], crowd]
    senders = [gevent.spawn(broadcast, *pair) for pair in zip("abc", orders_of_tokens, strict=True)]
    gevent.joinall(senders, raise_error=True)
    rig.gateway.broadcast(tokens, Event("end", ""))
    orders = [
        [(event.type, event.data) for event in stream.collect_until("end")] for _, stream in opened
    ]
    assert all(order == orders[0] for order in orders)
    for source in "abc":
        mine = [data for name, data in orders[0] if name == source]
        assert mine == ["0", "1", "2", "3", "4"]
    assert rig.gateway.stats.broadcasts == 16


def test_broadcast_lets_others_run(rig: Rig) -> None:
    """A long broadcast does not hold the hub: others run before it is over."""
    turns = []

    def other() -> None:
        while True:
            turns.append(1)
            let_others_run()

    greenlet = gevent.spawn(other)
    try:
        rig.gateway.broadcast(["nobody"] * 2600, Event(None, ""))
    finally:
        greenlet.kill()
    assert 8 <= len(turns) <= 15


def test_stream_ends_during_a_broadcast(rig: Rig) -> None:
    """A stream that is closed while a broadcast yields is unknown when its turn comes."""
    token, stream = rig.open()
    gevent.spawn(rig.gateway.close, token)
    result = rig.gateway.broadcast(["nobody"] * 300 + [token], Event(None, "late"))
    assert result.unknown[-1] == token
    assert stream.wait_for_end() is Ended.CLEAN
    assert stream.events == []


def test_killed_broadcast_lets_the_next_one_go(rig: Rig) -> None:
    """A broadcast that is killed on the way does not keep its turn."""
    killed = gevent.spawn(rig.gateway.broadcast, ["nobody"] * 10_000, Event(None, ""))
    gevent.sleep(0)
    killed.kill()
    token, _ = rig.open()
    assert rig.gateway.broadcast([token], Event(None, "")).delivered == 1


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
