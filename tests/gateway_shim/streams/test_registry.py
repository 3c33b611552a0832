"""Through a gateway: streams end, are kept alive, and are cut."""

from __future__ import annotations

import logging
import socket
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.errors import WriteFailed
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import Event
from tests.gateway_shim.streams.rig import Rig, tcp_pair
from tests.support.http.message import Ended
from tests.support.timing import wait_until

BIG = "x" * 300_000


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("http_1_0", [False, True])
def test_client_gone(rig: Rig, reset: bool, http_1_0: bool) -> None:
    """A client's going is seen without any write, and the backend told with the same request."""
    headers = {"host": "h", "x-latin": "\xe9"}
    token, stream = rig.open("/a?b=%20", headers=headers, pair=tcp_pair(), http_1_0=http_1_0)
    stream.reset() if reset else stream.close()
    assert rig.wait_reason(token) == "client_closed"
    request = {"url": "/a?b=%20", "headers": headers}
    assert rig.backend.calls == [
        {"action": "connect", "token": token, "request": request},
        {"action": "disconnect", "reason": "client_closed", "token": token, "request": request},
    ]
    stats = rig.gateway.stats
    assert (stats.active, stats.opened) == (0, 1)
    assert stats.closed == {"client_closed": 1, "server_closed": 0, "error": 0}


def test_client_gone_with_bytes_waiting(rig: Rig) -> None:
    """A client that leaves with much unread is gone; nothing stays buffered for it."""
    token, stream = rig.open(pair=tcp_pair())
    for _ in range(3):
        rig.gateway.send(token, Event(None, BIG))
    stream.close()
    assert rig.wait_reason(token) in ("client_closed", "error")
    assert rig.gateway.stats.bytes_buffered == 0


KILOBYTE = 1024


def test_all_together_have_a_budget(caplog: pytest.LogCaptureFixture) -> None:
    """Where slow clients hold back too much together, those that hold most are ended."""
    with Rig(max_total_buffer_bytes=100 * KILOBYTE, max_buffer_bytes=90 * KILOBYTE) as rig:
        tokens = [rig.open(send_buffer=KILOBYTE)[0] for _ in range(4)]
        good, stream = rig.open()
        for kilobytes, token in zip((10, 20, 30), tokens, strict=False):
            rig.gateway.send(token, Event(None, "x" * kilobytes * KILOBYTE))
        with pytest.raises(WriteFailed):  # it is itself the one that holds most
            rig.gateway.send(tokens[3], Event(None, "x" * 60 * KILOBYTE))
        assert (rig.gateway.stats.slow_consumers_ended, rig.gateway.active) == (1, 4)
        assert rig.gateway.stats.bytes_buffered < 100 * KILOBYTE
        assert rig.wait_reason(tokens[3]) == "error"
        for token in (tokens[2], tokens[1], tokens[0]):
            rig.gateway.send(token, Event(None, "y" * 20 * KILOBYTE))
        assert rig.gateway.stats.slow_consumers_ended == 2
        assert rig.wait_reason(tokens[2]) == "error"
        rig.gateway.send(good, Event(None, "1"))
        assert stream.next_event().data == "1"
        ended = [record for record in caplog.records if record.message == "slow consumer ended"]
        assert [vars(record)["limit"] for record in ended] == ["SSE_MAX_TOTAL_BUFFER_BYTES"] * 2
        assert [vars(record)["token"] for record in ended] == [tokens[3], tokens[2]]


def test_a_broadcast_counts_once() -> None:
    """One large event that many clients are slow to take is in memory once: nobody is ended."""
    with Rig(max_total_buffer_bytes=400 * KILOBYTE) as rig:
        tokens = [rig.open(send_buffer=KILOBYTE)[0] for _ in range(20)]
        result = rig.gateway.broadcast(tokens, Event(None, "x" * 200 * KILOBYTE))
        assert (result.delivered, result.unknown) == (20, ())
        assert rig.gateway.stats.bytes_buffered > 20 * 100 * KILOBYTE
        assert rig.gateway.stats.slow_consumers_ended == 0


def test_a_broadcast_over_the_budget() -> None:
    """A broadcast that is too much goes on to those who read; what they hold back ends others."""
    with Rig(max_total_buffer_bytes=300 * KILOBYTE) as rig:
        slow_ones = [rig.open(send_buffer=KILOBYTE)[0] for _ in range(3)]
        good, stream = rig.open()
        tokens = [*slow_ones, good]
        for number in range(12):
            rig.gateway.broadcast(tokens, Event(None, f"{number}" + "x" * 40 * KILOBYTE))
            assert stream.next_event().data.startswith(f"{number}")
        assert rig.gateway.stats.slow_consumers_ended == 3
        assert rig.gateway._streams.budget.size == 0
        assert rig.gateway.active == 1


def test_what_came_while_connecting_is_in_the_budget() -> None:
    """A stream that held back most while it was connecting ends once it would open."""
    gate = Signal()
    with Rig(max_total_buffer_bytes=100 * KILOBYTE) as rig:
        rig.backend.during = lambda token: gate.wait()
        large, small = rig.visit(), rig.visit()
        rig.gateway.send(small.token, Event("n", "1"))
        for _ in range(4):
            rig.gateway.send(large.token, Event(None, "x" * 25 * KILOBYTE))
        assert rig.gateway._streams.budget.size < KILOBYTE
        gate.set()
        assert small.stream().next_event().data == "1"
        assert large.outcome() is None
        assert rig.wait_reason(large.token) == "error"
        assert (rig.gateway.active, rig.gateway.stats.slow_consumers_ended) == (1, 1)


def test_nothing_stays_in_the_budget_of_what_was_refused() -> None:
    """What was held back for a stream that does not open is forgotten."""
    with Rig() as rig:
        rig.backend.answer = CallbackAnswer(403)
        rig.backend.during = lambda token: rig.gateway.send(token, Event(None, BIG))
        assert rig.visit().outcome() is not None
        assert rig.gateway._streams.budget.size == 0


def test_waiting_bytes_cannot_be_written(rig: Rig) -> None:
    """If it is the write of waiting bytes that fails first, the reason is error."""
    token, stream = rig.open()
    rig.gateway.send(token, Event(None, BIG))
    # There is no end to read, but nothing to write to either; it shows when the buffer has room.
    stream.connection.socket.shutdown(socket.SHUT_RD)
    stream.connection.socket.recv(200_000)
    assert rig.wait_reason(token) == "error"
    assert rig.gateway.stats.bytes_buffered == 0


def test_client_talks(rig: Rig) -> None:
    """What a client sends after its request is dropped, however much, and its end still seen."""
    token, stream = rig.open(pair=tcp_pair())
    for _ in range(20):
        stream.connection.send(b"x" * 100_000)
    rig.gateway.send(token, Event(None, "1"))
    assert stream.next_event().data == "1"
    stream.close()
    assert rig.wait_reason(token) == "client_closed"


def test_client_gone_while_closing(rig: Rig) -> None:
    """A client that leaves before it has read the last bytes changes nothing any more."""
    token, stream = rig.open()
    rig.gateway.send(token, Event(None, BIG), close=True)
    assert rig.wait_reason(token) == "server_closed"
    assert rig.gateway._streams.closing
    stream.close()
    wait_until(lambda: not rig.gateway._streams.closing, "the stream to be forgotten")
    assert rig.backend.reasons == {token: "server_closed"}
    assert rig.gateway.stats.closed == {"client_closed": 0, "server_closed": 1, "error": 0}


def test_endings_are_told_in_order(rig: Rig) -> None:
    """The backend hears of endings in the order in which they happened."""
    opened = [rig.open() for _ in range(5)]
    order = [3, 0, 4, 1, 2]
    for index in order:
        rig.gateway.close(opened[index][0])
    rig.wait_reason(opened[2][0])
    assert list(rig.backend.reasons) == [opened[index][0] for index in order]


def test_disconnect_that_does_not_arrive(rig: Rig) -> None:
    """A disconnect callback that fails is counted; nothing else changes."""
    rig.backend.disconnects_fail = True
    (first, _), (second, stream) = rig.open(), rig.open()
    rig.gateway.close(first)
    wait_until(lambda: rig.gateway.stats.callbacks_failed == 1, "the failure to be counted")
    rig.gateway.send(second, Event(None, "1"))
    assert stream.next_event().data == "1"


def test_slow_backend_holds_up_nobody(rig: Rig) -> None:
    """While a disconnect callback blocks, streams open, get their events, and end."""
    gate = Signal()
    rig.backend.told = lambda token: gate.wait()
    (first, _), (second, stream) = rig.open(), rig.open()
    rig.gateway.close(first)
    gevent.sleep(0)
    rig.gateway.send(second, Event(None, "1"), close=True)
    assert stream.wait_for_end() is Ended.CLEAN
    rig.open()
    assert rig.backend.reasons == {}
    gate.set()
    rig.wait_reason(second)
    assert list(rig.backend.reasons) == [first, second]


def test_log_lines(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """A stream's opening, refusal and end are one line each, with its token, url and address."""
    caplog.set_level(logging.INFO, "gateway_shim")
    token, stream = rig.open("/a", address="192.0.2.7")
    stream.close()
    rig.wait_reason(token)
    rig.backend.answer = CallbackAnswer(403)
    rig.visit("/b").outcome()

    def about(record: logging.LogRecord) -> list[Any]:
        names = ("token", "url", "address", "reason", "answer")
        return [record.message, *(getattr(record, name, None) for name in names)]

    assert [about(record) for record in caplog.records] == [
        ["stream opened", "t1", "/a", "192.0.2.7", None, None],
        ["stream ended", "t1", "/a", "192.0.2.7", "client_closed", None],
        ["stream refused", "t2", "/b", "192.0.2.1", None, 403],
    ]


# ------------------------------------------------------------------------- heartbeats


@pytest.mark.parametrize("http_1_0", [False, True])
def test_heartbeats(http_1_0: bool) -> None:
    """Every interval a comment, counted from the stream's own opening."""
    with Rig(heartbeat_interval=0.1) as rig:
        token, stream = rig.open(http_1_0=http_1_0)
        assert stream.wait_for_comments(3) == [" heartbeat"] * 3
        first, second, third = stream.comment_times[:3]
        assert second - first > 0.04
        assert third - first > 0.14
        assert rig.gateway.stats.heartbeats >= 3
        rig.gateway.close(token)
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw == b": heartbeat\n\n" * len(stream.comments)


def test_heartbeats_count_against_the_bound() -> None:
    """A client that reads nothing is found by its heartbeats, if by nothing else."""
    with Rig(heartbeat_interval=0.06, max_buffer_bytes=30) as rig:
        token, _ = rig.open(send_buffer=4096)
        assert rig.stall(token) == 13  # and a heartbeat is 18
        assert rig.wait_reason(token) == "error"
        assert rig.gateway.stats.slow_consumers_ended == 1


def test_closing_stream_is_cut_at_its_heartbeat() -> None:
    """A client that does not read its last bytes is cut when its next heartbeat is due."""
    with Rig(heartbeat_interval=0.1) as rig:
        token, stream = rig.open(send_buffer=4096)
        rig.stall(token)
        rig.gateway.close(token)
        assert rig.gateway._streams.closing
        wait_until(lambda: not rig.gateway._streams.closing, "the stream to be cut")
        assert stream.wait_for_end() is Ended.EOF
        assert rig.backend.reasons == {token: "server_closed"}
        stats = rig.gateway.stats
        assert stats.closed == {"client_closed": 0, "server_closed": 1, "error": 0}
        assert (stats.heartbeats, stats.slow_consumers_ended, stats.bytes_buffered) == (0, 0, 0)


def test_ended_streams_get_no_heartbeats() -> None:
    """A stream that has ended is forgotten at its next heartbeat, which is not written."""
    with Rig(heartbeat_interval=0.05) as rig:
        token, stream = rig.open()
        rig.gateway.close(token)
        wait_until(lambda: not rig.gateway._heartbeats._due, "the stream to be forgotten")
        assert stream.wait_for_end() is Ended.CLEAN
        assert rig.gateway.stats.heartbeats == 0


# ------------------------------------------------------------------------- the gateway's own end


def test_stop_cuts_what_is_left() -> None:
    """Stopping without draining leaves no stream, whatever its state, and no socket of its own."""
    with Rig() as rig:
        gate = Signal()
        _, stream = rig.open()
        closing, slow = rig.open(send_buffer=4096)
        rig.stall(closing)
        rig.gateway.close(closing)
        rig.backend.during = lambda token: gate.wait()
        connecting = rig.visit()

        rig.gateway.stop()
        assert rig.gateway.stats.active == 0
        assert not rig.gateway._streams.closing
        assert stream.wait_for_end() is Ended.EOF
        assert slow.wait_for_end() is Ended.EOF
        gate.set()
        assert connecting.outcome() is None
        assert connecting.client.wait_closed() is Ended.EOF
