"""Events and ends during the callback, while the backend is being asked."""

from __future__ import annotations

import logging
import socket

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.errors import UnknownToken, WriteFailed
from gateway_shim.protocol import event_stream
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import Dialect, Event
from gateway_shim.protocol.results import OpenResult
from gateway_shim.streams.gateway import SendStatus
from tests.gateway_shim.running_gateway import RunningGateway
from tests.gateway_shim.sockets import tcp_pair
from tests.support.http.message import Ended
from tests.support.timing import wait_until


def test_sends_during_the_callback(running: RunningGateway) -> None:
    """Events that are sent during the callback are written after the head, in their order."""
    statuses = []

    def during(token: str) -> None:
        for number in range(3):
            statuses.append(running.gateway.send(token, Event("n", str(number))))
        result = running.gateway.broadcast([token], Event("b", "3"))
        statuses.append(result.delivered)

    running.backend.during = during
    token, stream = running.open()
    running.gateway.send(token, Event("n", "4"))
    stream.wait_for(lambda event: event.data == "4")
    assert statuses == [SendStatus.BUFFERED] * 3 + [1]
    assert [event.data for event in stream.events] == ["0", "1", "2", "3", "4"]


def test_ready_follows_what_was_buffered() -> None:
    """In the envelope dialect, ready comes after the events that were sent during the callback."""
    with RunningGateway(dialect=Dialect.ENVELOPE) as running:
        running.backend.during = lambda token: running.gateway.send(token, Event("n", "1"))
        _, stream = running.open()
        wait_until(lambda: len(stream.poll().chunks) == 2, "both chunks")
        assert stream.raw == b'data: {"type":"n","payload":1}\n\n' + event_stream.READY.bare


@pytest.mark.parametrize("dialect", Dialect)
def test_close_during_the_callback(dialect: Dialect) -> None:
    """A close during the callback ends the stream after the earlier events; the rest is dropped."""
    with RunningGateway(dialect=dialect) as running:
        statuses = []

        def during(token: str) -> None:
            statuses.append(running.gateway.send(token, Event(None, "1")))
            statuses.append(running.gateway.send(token, Event(None, "2"), close=True))
            statuses.append(running.gateway.send(token, Event(None, "3")))
            statuses.append(running.gateway.send(token, close=True))

        running.backend.during = during
        token, stream = running.open()
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw == b"data: 1\n\ndata: 2\n\n"
        assert statuses == [SendStatus.BUFFERED] * 4
        assert running.wait_reason(token) == "server_closed"


@pytest.mark.parametrize("close", [True, False])
def test_buffered_send_without_event(running: RunningGateway, close: bool) -> None:
    """A send without an event, during the callback, writes no event (divergence 4)."""
    running.backend.during = lambda token: running.gateway.send(token, close=close)
    token, stream = running.open()
    if not close:
        running.gateway.close(token)
    assert stream.wait_for_end() is Ended.CLEAN
    assert stream.raw == b""
    assert running.wait_reason(token) == "server_closed"


def test_refusal_discards_what_was_buffered(running: RunningGateway) -> None:
    """Events that were sent during the callback do not reach a client that is refused."""
    running.backend.answer = CallbackAnswer(403)
    running.backend.during = lambda token: running.gateway.send(token, Event(None, "x"), close=True)
    visit = running.visit()
    visit.refusal()
    visit.server.close()
    assert visit.client.wait_closed() is Ended.EOF


def test_too_much_during_the_callback() -> None:
    """A stream that was sent too much during the callback ends as soon as it opens."""
    with RunningGateway(max_buffer_bytes=100) as running:
        outcomes: list[object] = []

        def during(token: str) -> None:
            for data in ("x" * 50, "y" * 50):
                try:
                    outcomes.append(running.gateway.send(token, Event(None, data)))
                except WriteFailed as exc:
                    outcomes.append(exc.token)
            outcomes.append(running.gateway.broadcast([token], Event(None, "z")).delivered)

        running.backend.during = during
        visit = running.visit()
        assert visit.outcome() is OpenResult.OPENED
        assert outcomes == [SendStatus.BUFFERED, visit.token, 0]
        assert visit.client.wait_closed() is Ended.EOF
        assert running.wait_reason(visit.token) == "error"
        assert running.stats.slow_consumers_ended == 1


# ------------------------------------------------------------------------- the client leaves


@pytest.mark.parametrize("reset", [False, True])
def test_client_gone_during_the_callback(running: RunningGateway, reset: bool) -> None:
    """The token of a client that leaves during the callback is unknown at once."""
    gate = Signal()
    running.backend.during = lambda token: gate.wait()
    visit = running.visit(pair=tcp_pair())
    assert running.gateway.send(visit.token, Event(None, "1")) is SendStatus.BUFFERED
    visit.client.reset() if reset else visit.client.close()
    wait_until(lambda: running.stats.active == 0, "the token to be gone")
    with pytest.raises(UnknownToken) as caught:
        running.gateway.send(visit.token, Event(None, "2"))
    assert caught.value.token == visit.token
    assert visit.server.fileno() >= 0, "the socket is still the worker's to close"
    gate.set()
    assert visit.outcome() is OpenResult.ABANDONED
    running.open()
    stats = running.stats
    assert (stats.opened, stats.refused, sum(stats.closed.values())) == (1, 0, 0)
    assert running.backend.reasons == {}


def test_an_abandoned_stream_is_logged(
    running: RunningGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """A stream whose client leaves during the callback is logged; no other callback follows."""
    caplog.set_level(logging.INFO)
    gate = Signal()
    running.backend.during = lambda token: gate.wait()
    visit = running.visit("/left")
    visit.client.close()
    wait_until(lambda: running.stats.active == 0, "the client's end to be seen")
    gate.set()
    assert visit.outcome() is OpenResult.ABANDONED
    assert [(r.message, vars(r)["url"], vars(r)["token"]) for r in caplog.records] == [
        ("stream abandoned", "/left", visit.token)
    ]


def test_client_gone_behind_unread_bytes(running: RunningGateway) -> None:
    """An end that unread bytes hide is seen once the stream is open."""
    pair = socket.socketpair()
    pair[0].sendall(b"unread")
    running.backend.during = lambda token: gevent.sleep(0.02)
    visit = running.visit(pair=pair)
    visit.client.close()
    assert visit.outcome() is OpenResult.OPENED
    assert running.wait_reason(visit.token) in ("client_closed", "error")


def test_client_gone_in_the_instant_of_the_answer(running: RunningGateway) -> None:
    """A stream whose first write fails has opened and ended."""
    pair = socket.socketpair()
    running.backend.during = lambda token: pair[0].shutdown(socket.SHUT_RDWR)
    visit = running.visit(pair=pair)
    assert visit.outcome() is OpenResult.OPENED
    assert running.wait_reason(visit.token) == "error"
    assert running.stats.opened == 1


# ------------------------------------------------------------------------- the opening is cut short


class Broken(BaseException):
    """An error that a backend must not raise, such as the death of its greenlet."""


def test_backend_raises(running: RunningGateway) -> None:
    """An opening that is cut short leaves no token, and gives the socket back."""

    def during(token: str) -> None:
        raise Broken

    running.backend.during = during
    visit = running.visit()
    with pytest.raises(Broken):
        visit.outcome()
    assert running.stats.active == 0
    visit.server.sendall(b"answer")
    assert visit.client.socket.recv(100) == b"answer"
    running.hub_errors.seen.clear()


def test_opening_is_killed(running: RunningGateway) -> None:
    """A handler that is killed while the backend is asked leaves nothing behind."""
    running.backend.during = lambda token: gevent.sleep(3600)
    visit = running.visit()
    visit.opening.kill()
    assert running.stats.active == 0
    with pytest.raises(UnknownToken):
        running.gateway.close(visit.token)
