"""Opening a stream, or refusing it."""

from __future__ import annotations

import logging
import re
import socket
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.errors import UnknownToken, WriteFailed
from gateway_shim.protocol import event_stream as wire
from gateway_shim.protocol.callbacks import CallbackAnswer, CallbackFailure
from gateway_shim.protocol.client_address import TrustedProxies
from gateway_shim.protocol.event_stream import Dialect, Event
from gateway_shim.protocol.http import Refusal
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.config import Cors, GatewayConfig
from gateway_shim.streams.gateway import Gateway, SendStatus
from gateway_shim.streams.opening.admission import RETRY_AFTER_SECONDS
from tests.gateway_shim.streams.rig import FakeBackend, Rig, fill, tcp_pair
from tests.support.http_message import Ended
from tests.support.sse_client import SSEEvent
from tests.support.timing import wait_until

HEADERS = {"host": "gw.example", "cookie": "a=b; c=d", "x-latin": "\xe9"}
STREAM_HEADERS = [
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-cache"),
    ("Connection", "keep-alive"),
    ("X-Accel-Buffering", "no"),
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
    ("Access-Control-Allow-Headers", "Content-Type, Cache-Control"),
]
CHUNKED = ("Transfer-Encoding", "chunked")


def without_date(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers but for Date, which must be first and in the form of RFC 9110."""
    (name, value), *rest = headers
    assert name == "Date"
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", value)
    return rest


def names_and_data(events: list[SSEEvent]) -> list[tuple[str, str]]:
    """What arrived, without ids."""
    return [(event.type, event.data) for event in events]


# ------------------------------------------------------------------------- the check


def test_a_check_comes_before_the_backend() -> None:
    """What the check refuses is answered as it says; the backend is not asked."""
    refusal = Refusal(403, "C", "m")
    backend = FakeBackend()
    asked: list[StreamRequest] = []

    def check(request: StreamRequest) -> Refusal | None:
        asked.append(request)
        return refusal

    gateway = Gateway(backend, GatewayConfig(), check=check)
    gateway.start()
    ours, theirs = tcp_pair()
    request = StreamRequest("/x", {}, listener="127.0.0.1")
    assert gateway.open(request, ours) is refusal
    assert (asked, backend.calls, gateway.active, gateway.stats.refused) == ([request], [], 0, 1)
    gateway.stop()
    ours.close()
    theirs.close()


# ------------------------------------------------------------------------- the answer


def test_head_and_callback(rig: Rig) -> None:
    """A stream is asked for with its token, raw target and headers; its head is the contract's."""
    token, stream = rig.open("/a//b/../c?x=%20", headers=HEADERS)
    request = {"url": "/a//b/../c?x=%20", "headers": HEADERS}
    assert rig.backend.calls == [{"action": "connect", "token": token, "request": request}]
    assert (stream.head.version, stream.head.status, stream.head.reason) == ("1.1", 200, "OK")
    assert without_date(stream.head.headers) == [*STREAM_HEADERS, CHUNKED]
    assert stream.poll().raw == b""
    assert rig.gateway.stats.active == rig.gateway.stats.opened == 1


def test_http_1_0(rig: Rig) -> None:
    """An HTTP/1.0 client gets bare bytes until the connection is closed."""
    token, stream = rig.open(http_1_0=True)
    assert without_date(stream.head.headers) == STREAM_HEADERS
    rig.gateway.send(token, Event("n", "1"), close=True)
    assert stream.wait_for_end() is Ended.CLEAN
    assert (stream.raw, stream.chunks) == (b"event: n\ndata: 1\n\n", [])


@pytest.mark.parametrize(("http_1_0", "chunks"), [(False, [wire.READY.bare]), (True, [])])
def test_envelope_says_ready(http_1_0: bool, chunks: list[bytes]) -> None:
    """The envelope dialect writes its ready event as soon as the stream is open."""
    with Rig(dialect=Dialect.ENVELOPE) as rig:
        token, stream = rig.open(http_1_0=http_1_0)
        wait_until(lambda: stream.poll().raw, "the first bytes")
        assert (stream.raw, stream.chunks) == (b"event: ready\ndata:\n\n", chunks)
        rig.gateway.send(token, Event("n", "{}"))
        assert stream.wait_for("message") == SSEEvent("message", '{"type":"n","payload":{}}')


def test_cors_of_one_origin() -> None:
    """A stream names the origin that may read it."""
    with Rig(cors=Cors(("https://a.example",))) as rig:
        _, stream = rig.open(headers={"origin": "https://a.example"})
        assert without_date(stream.head.headers) == [
            *STREAM_HEADERS[:4],
            ("Access-Control-Allow-Origin", "https://a.example"),
            *STREAM_HEADERS[5:],
            ("Access-Control-Allow-Credentials", "true"),
            ("Vary", "Origin"),
            CHUNKED,
        ]


def test_every_stream_has_its_own_token(rig: Rig) -> None:
    """Two requests for the same path are two streams."""
    (first, _), (second, other) = rig.open(), rig.open()
    rig.gateway.send(first, Event(None, "1"))
    rig.gateway.send(second, Event(None, "2"))
    assert other.next_event().data == "2"
    assert rig.gateway.stats.active == 2


def test_pending_connects_are_bounded() -> None:
    """A backend that does not answer costs a few places: one more connect is told to come back.

    The refused one reaches neither the backend nor the streams; each answer makes room for one.
    """
    gate = Signal()
    with Rig(max_pending_connects=2) as rig:
        rig.backend.during = lambda token: gate.wait()
        waiting = [rig.visit(), rig.visit(address="192.0.2.2")]
        assert rig.gateway.stats.pending_connects == 2
        refusal = rig.visit(address="192.0.2.3").outcome()
        assert refusal is not None
        assert (refusal.status, refusal.headers) == (503, (("Retry-After", "5"),))
        assert (len(rig.backend.calls), rig.gateway.active, rig.gateway.stats.refused) == (2, 2, 1)
        assert rig.gateway.refusals.by_reason["pending_connects"] == 1
        assert rig.gateway.refusals.by_reason["stream_limit"] == 0
        gate.set()
        for visit in waiting:
            visit.stream()
        rig.open(address="192.0.2.3")
        assert rig.gateway.stats.pending_connects == 0


def test_a_connect_that_is_killed_waits_no_more(rig: Rig) -> None:
    """Whatever ends the wait for the backend gives the place back."""
    rig.backend.during = lambda token: Signal().wait()
    visit = rig.visit()
    assert rig.gateway.stats.pending_connects == 1
    visit.opening.kill()
    assert rig.gateway.stats.pending_connects == 0


def test_holds(rig: Rig) -> None:
    """A token is held from before its callback until its stream ends, or is refused."""
    held: list[bool] = []
    rig.backend.during = lambda token: held.append(rig.gateway.holds(token))
    token, _ = rig.open()
    assert (held, rig.gateway.holds(token), rig.gateway.holds("T")) == ([True], True, False)
    rig.gateway.close(token)
    assert not rig.gateway.holds(token)
    rig.backend.answer = CallbackAnswer(403)
    visit = rig.visit()
    assert visit.outcome() is not None
    assert not rig.gateway.holds(visit.token)


def test_tokens_are_uuids() -> None:
    """Unless a test says otherwise, a token is a random UUID."""
    backend = FakeBackend()
    backend.answer = CallbackAnswer(404)
    gateway = Gateway(backend, GatewayConfig())
    client, server = socket.socketpair()
    with client, server:
        for _ in range(2):
            gateway.open(StreamRequest("/", {}), server)
    first, second = [call["token"] for call in backend.calls]
    pattern = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert re.fullmatch(pattern, first)
    assert re.fullmatch(pattern, second)
    assert first != second


# ------------------------------------------------------------------------- refusals


REFUSED = [
    (CallbackAnswer(401), 401, b"BACKEND_AUTH_FAILED"),
    (CallbackAnswer(409), 409, b"BACKEND_ERROR"),
    (CallbackFailure.TIMEOUT, 504, b"GATEWAY_TIMEOUT"),
    (CallbackFailure.UNAVAILABLE, 503, b"BACKEND_UNAVAILABLE"),
    (CallbackFailure.NOT_CONFIGURED, 503, b"SERVICE_NOT_CONFIGURED"),
]


@pytest.mark.parametrize(("answer", "status", "code"), REFUSED)
def test_refused(
    rig: Rig, answer: CallbackAnswer | CallbackFailure, status: int, code: bytes
) -> None:
    """A refused stream is the worker's to answer; it gets no disconnect callback."""
    rig.backend.answer = answer
    visit = rig.visit()
    refusal = visit.outcome()
    assert refusal is not None
    assert (refusal.status, refusal.in_stream) == (status, None)
    assert code in refusal.body
    with pytest.raises(UnknownToken):
        rig.gateway.send(visit.token, Event(None, "late"))
    stats = rig.gateway.stats
    assert (stats.active, stats.opened, stats.refused) == (0, 0, 1)
    assert rig.backend.reasons == {}


def test_refused_socket_goes_back_untouched(rig: Rig) -> None:
    """The next request on the connection, sent before the answer, is still there to be read."""
    rig.backend.answer = CallbackAnswer(404)
    rig.backend.during = lambda token: gevent.sleep(0.02)
    pair = socket.socketpair()
    pair[0].sendall(b"GET /next HTTP/1.1\r\n")
    visit = rig.visit(pair=pair)
    visit.client.send(b"Host: x\r\n\r\n")
    assert visit.outcome() is not None
    assert visit.server.recv(100) == b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
    visit.server.sendall(b"answer")
    assert visit.client.socket.recv(100) == b"answer"

    rig.backend.answer = CallbackAnswer(200)
    again = rig.visit(pair=(visit.client.socket, visit.server))
    rig.gateway.send(again.token, Event(None, "kept alive"))
    assert again.stream().next_event().data == "kept alive"


@pytest.mark.parametrize("http_1_0", [False, True])
@pytest.mark.parametrize(
    ("answer", "data"),
    [
        (CallbackAnswer(400), '{"status":400,"message":"Bad Request"}'),
        (CallbackAnswer(401, "No"), '{"status":401,"message":"No"}'),
        (CallbackAnswer(403), '{"status":403,"message":"Forbidden"}'),
    ],
)
def test_rejected_in_stream(answer: CallbackAnswer, data: str, http_1_0: bool) -> None:
    """The envelope dialect refuses inside a stream of one event, which ends cleanly."""
    with Rig(dialect=Dialect.ENVELOPE) as rig:
        rig.backend.answer = answer
        rig.backend.during = lambda token: rig.gateway.send(token, Event(None, "dropped"))
        visit = rig.visit(http_1_0=http_1_0)
        stream = visit.stream()
        assert stream.wait_for_end() is Ended.CLEAN
        assert names_and_data(stream.events) == [("rejected", data)]
        stats = rig.gateway.stats
        assert (stats.active, stats.opened, stats.refused) == (0, 0, 1)
        assert rig.backend.reasons == {}


def test_rejected_client_is_gone() -> None:
    """A client that leaves just when it is rejected is no trouble."""
    with Rig(dialect=Dialect.ENVELOPE) as rig:
        rig.backend.answer = CallbackAnswer(403)
        pair = socket.socketpair()
        # Shut down from inside the callback, and no switch before its answer.
        rig.backend.during = lambda token: pair[0].shutdown(socket.SHUT_RDWR)
        assert rig.visit(pair=pair).outcome() is None
        assert rig.gateway.stats.refused == 1


def test_rejected_client_does_not_read() -> None:
    """A rejected client whose buffers are full is cut when its first heartbeat would be due."""
    with Rig(dialect=Dialect.ENVELOPE, heartbeat_interval=0.1) as rig:
        rig.backend.answer = CallbackAnswer(403)
        client, server = socket.socketpair()
        fill(server)
        visit = rig.visit(pair=(client, server))
        assert visit.outcome() is None
        received = bytearray()
        wait_until(lambda: not rig.gateway._heartbeats._due, "the client to be cut")
        while data := client.recv(65536):
            received += data
        assert received.strip(b"x") == b""


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"max_connections": 1}, "Too many connections"),
        ({"max_connections_per_address": 1}, "Too many connections from this address"),
    ],
)
def test_limits(config: dict[str, Any], message: str) -> None:
    """One too many is refused without asking the backend, until one has gone."""
    with Rig(**config) as rig:
        token, stream = rig.open(address="192.0.2.1")
        refusal = rig.visit(address="192.0.2.1").outcome()
        assert refusal is not None
        assert refusal.status == 503
        assert message.encode() in refusal.body
        assert refusal.headers == (("Retry-After", str(RETRY_AFTER_SECONDS)),)
        assert len(rig.backend.calls) == 1
        stream.close()
        rig.wait_reason(token)
        rig.open(address="192.0.2.1")
        stats = rig.gateway.stats
        assert (stats.active, stats.opened, stats.refused) == (1, 2, 1)


def test_who_is_not_counted() -> None:
    """A trusted proxy that names no client has any number of streams; loopback has, too."""
    with Rig(max_connections_per_address=1, proxies=TrustedProxies.parse("192.0.2.1")) as rig:
        for address in ("192.0.2.1", "127.0.0.1", ""):
            for _ in range(2):
                rig.open(address=address)
        rig.open(address="2001:db8::1")
        assert rig.visit(address="2001:db8::2").outcome() is not None
        assert rig.gateway.limit_key("192.0.2.1") == ""
        assert rig.gateway.limit_key("192.0.2.2") == "192.0.2.2"


def test_limits_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Who is turned away is in the log."""
    with Rig(max_connections=1) as rig:
        rig.open()
        assert rig.visit("/two").outcome() is not None
        assert rig.visit("/three", address="192.0.2.9").outcome() is not None
    lines = [vars(r) for r in caplog.records if r.message == "stream refused by a limit"]
    assert [(line["url"], line["address"], line["answer"]) for line in lines] == [
        ("/two", "192.0.2.1", 503),
        ("/three", "192.0.2.9", 503),
    ]


def test_a_client_that_leaves_meanwhile_is_logged(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """Its backend was asked, and will not be told of an end: the log is."""
    caplog.set_level(logging.INFO)
    gate = Signal()
    rig.backend.during = lambda token: gate.wait()
    visit = rig.visit("/left")
    visit.client.close()
    wait_until(lambda: rig.gateway.stats.active == 0, "the client's going to be seen")
    gate.set()
    assert visit.outcome() is None
    assert [(r.message, vars(r)["url"], vars(r)["token"]) for r in caplog.records] == [
        ("stream abandoned", "/left", visit.token)
    ]


def test_limit_counts_the_connecting() -> None:
    """A stream that is being asked about counts, and no longer once it is refused or gone."""
    with Rig(max_connections_per_address=1) as rig:
        gate = Signal()
        rig.backend.during = lambda token: gate.wait()
        first = rig.visit()
        assert rig.visit().outcome() is not None
        first.client.close()
        wait_until(lambda: rig.gateway.stats.active == 0, "the first to be gone")
        rig.backend.answer = CallbackAnswer(404)
        second = rig.visit()
        assert second.token
        gate.set()
        assert second.outcome() is not None
        assert rig.visit().token


# ------------------------------------------------------------------------- during the callback


def test_sends_during_the_callback(rig: Rig) -> None:
    """What is sent before the answer is buffered, and written after the head in its order."""
    statuses = []

    def during(token: str) -> None:
        for number in range(3):
            statuses.append(rig.gateway.send(token, Event("n", str(number))))
        result = rig.gateway.broadcast([token], Event("b", "3"))
        statuses.append(result.delivered)

    rig.backend.during = during
    token, stream = rig.open()
    rig.gateway.send(token, Event("n", "4"))
    stream.wait_for(lambda event: event.data == "4")
    assert statuses == [SendStatus.BUFFERED] * 3 + [1]
    assert [event.data for event in stream.events] == ["0", "1", "2", "3", "4"]


def test_ready_follows_what_was_buffered() -> None:
    """In the envelope dialect, ready comes after what was sent during the callback."""
    with Rig(dialect=Dialect.ENVELOPE) as rig:
        rig.backend.during = lambda token: rig.gateway.send(token, Event("n", "1"))
        _, stream = rig.open()
        wait_until(lambda: len(stream.poll().chunks) == 2, "both chunks")
        assert stream.raw == b'data: {"type":"n","payload":1}\n\n' + wire.READY.bare


@pytest.mark.parametrize("dialect", Dialect)
def test_close_during_the_callback(dialect: Dialect) -> None:
    """A buffered close ends the stream after what came before it; the rest is discarded."""
    with Rig(dialect=dialect) as rig:
        statuses = []

        def during(token: str) -> None:
            statuses.append(rig.gateway.send(token, Event(None, "1")))
            statuses.append(rig.gateway.send(token, Event(None, "2"), close=True))
            statuses.append(rig.gateway.send(token, Event(None, "3")))
            statuses.append(rig.gateway.send(token, close=True))

        rig.backend.during = during
        token, stream = rig.open()
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw == b"data: 1\n\ndata: 2\n\n"
        assert statuses == [SendStatus.BUFFERED] * 4
        assert rig.wait_reason(token) == "server_closed"


@pytest.mark.parametrize("close", [True, False])
def test_buffered_send_without_event(rig: Rig, close: bool) -> None:
    """A buffered send without an event writes none (divergence 4)."""
    rig.backend.during = lambda token: rig.gateway.send(token, close=close)
    token, stream = rig.open()
    if not close:
        rig.gateway.close(token)
    assert stream.wait_for_end() is Ended.CLEAN
    assert stream.raw == b""
    assert rig.wait_reason(token) == "server_closed"


def test_refusal_discards_what_was_buffered(rig: Rig) -> None:
    """Nothing that was sent during the callback reaches a client that is refused."""
    rig.backend.answer = CallbackAnswer(403)
    rig.backend.during = lambda token: rig.gateway.send(token, Event(None, "x"), close=True)
    visit = rig.visit()
    assert visit.outcome() is not None
    visit.server.close()
    assert visit.client.wait_closed() is Ended.EOF


def test_too_much_during_the_callback() -> None:
    """What is buffered is bounded too; past the bound the stream ends as soon as it may."""
    with Rig(max_buffer_bytes=100) as rig:
        outcomes: list[object] = []

        def during(token: str) -> None:
            for data in ("x" * 50, "y" * 50):
                try:
                    outcomes.append(rig.gateway.send(token, Event(None, data)))
                except WriteFailed as exc:
                    outcomes.append(exc.token)
            outcomes.append(rig.gateway.broadcast([token], Event(None, "z")).delivered)

        rig.backend.during = during
        visit = rig.visit()
        assert visit.outcome() is None
        assert outcomes == [SendStatus.BUFFERED, visit.token, 0]
        assert visit.client.wait_closed() is Ended.EOF
        assert rig.wait_reason(visit.token) == "error"
        assert rig.gateway.stats.slow_consumers_ended == 1


@pytest.mark.parametrize("reset", [False, True])
def test_client_gone_during_the_callback(rig: Rig, reset: bool) -> None:
    """The token is gone at once; there is no stream and no disconnect callback."""
    gate = Signal()
    rig.backend.during = lambda token: gate.wait()
    visit = rig.visit(pair=tcp_pair())
    assert rig.gateway.send(visit.token, Event(None, "1")) is SendStatus.BUFFERED
    visit.client.reset() if reset else visit.client.close()
    wait_until(lambda: rig.gateway.stats.active == 0, "the token to be gone")
    with pytest.raises(UnknownToken) as caught:
        rig.gateway.send(visit.token, Event(None, "2"))
    assert caught.value.token == visit.token
    assert visit.server.fileno() >= 0, "the socket is still the worker's to close"
    gate.set()
    assert visit.outcome() is None
    rig.open()
    stats = rig.gateway.stats
    assert (stats.opened, stats.refused, sum(stats.closed.values())) == (1, 0, 0)
    assert rig.backend.reasons == {}


def test_client_gone_behind_unread_bytes(rig: Rig) -> None:
    """Bytes that must stay unread hide the end; it is seen once the stream is open."""
    pair = socket.socketpair()
    pair[0].sendall(b"unread")
    rig.backend.during = lambda token: gevent.sleep(0.02)
    visit = rig.visit(pair=pair)
    visit.client.close()
    assert visit.outcome() is None
    assert rig.wait_reason(visit.token) in ("client_closed", "error")


def test_client_gone_in_the_instant_of_the_answer(rig: Rig) -> None:
    """A client that cannot be written to when its stream opens has had a stream that ended."""
    pair = socket.socketpair()
    rig.backend.during = lambda token: pair[0].shutdown(socket.SHUT_RDWR)
    visit = rig.visit(pair=pair)
    assert visit.outcome() is None
    assert rig.wait_reason(visit.token) == "error"
    assert rig.gateway.stats.opened == 1


class Broken(BaseException):
    """What a backend must not raise, and a killed greenlet does."""


def test_backend_raises(rig: Rig) -> None:
    """An opening that is cut short leaves no token behind, and the socket to its owner."""

    def during(token: str) -> None:
        raise Broken

    rig.backend.during = during
    visit = rig.visit()
    with pytest.raises(Broken):
        visit.outcome()
    assert rig.gateway.stats.active == 0
    visit.server.sendall(b"answer")
    assert visit.client.socket.recv(100) == b"answer"
    rig.hub_errors.seen.clear()


def test_opening_is_killed(rig: Rig) -> None:
    """A handler killed while the backend is asked leaves nothing behind either."""
    rig.backend.during = lambda token: gevent.sleep(3600)
    visit = rig.visit()
    visit.opening.kill()
    assert rig.gateway.stats.active == 0
    with pytest.raises(UnknownToken):
        rig.gateway.close(visit.token)


def test_linger_does_not_reset(rig: Rig) -> None:
    """A client that sent something late still reads the whole answer, and no reset."""
    token, stream = rig.open(pair=tcp_pair())
    stream.connection.send(b"late bytes")
    rig.gateway.send(token, Event(None, "x" * 100_000), close=True)
    stream.connection.send(b"later bytes")
    assert stream.wait_for_end() is Ended.CLEAN
    assert len(stream.events[0].data) == 100_000
