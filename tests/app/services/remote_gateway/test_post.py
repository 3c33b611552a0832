"""One POST to a gateway: its bytes, its answers, and never longer than its time limit."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from app.schemas.sse_gateway_schema import SSEGatewayEvent, SSEGatewaySendRequest
from app.services.gateway_transport import TransportError
from app.services.remote_gateway.post import GatewayPost, NoAnswer
from tests.app.services.remote_gateway.http_gateway import OK, HttpGateway, http_answer
from tests.support.http.odd_answers import BAD_SET_COOKIE, INTERIM, NO_ANSWERS, pour_interim
from tests.support.http.scripted_server import Script, ScriptedServer, answer
from tests.support.timing import TIME_LIMIT, Stopwatch, wait_until

LIMIT = 0.2
SEND = SSEGatewaySendRequest(token="T", event=SSEGatewayEvent(name="n", data="d"))


def make_post(port: int, **options: Any) -> GatewayPost:
    """The object under test."""
    return GatewayPost(
        f"http://127.0.0.1:{port}", **{"time_limit": TIME_LIMIT, "connections": 2, **options}
    )


@pytest.fixture
def gateway() -> Iterator[HttpGateway]:
    """A gateway that takes every send."""
    with HttpGateway() as running:
        yield running


@pytest.mark.parametrize(
    ("send", "body"),
    [
        (SEND, b'{"token":"T","event":{"name":"n","data":"d"}}'),
        (SSEGatewaySendRequest(token="T", close=True), b'{"token":"T","close":true}'),
        (
            SSEGatewaySendRequest(token="T", event=SSEGatewayEvent(name="", data="é\n\u2028")),
            '{"token":"T","event":{"name":"","data":"é\\n\u2028"}}'.encode(),
        ),
        (
            SSEGatewaySendRequest.model_construct(
                token="T", event=SSEGatewayEvent.model_construct(name="n", data="é\ud800")
            ),
            b'{"token": "T", "event": {"name": "n", "data": "\\u00e9\\ud800"}}',
        ),
    ],
)
def test_the_body(gateway: HttpGateway, send: SSEGatewaySendRequest, body: bytes) -> None:
    """What is set, and nothing else; half a surrogate pair goes as an escape."""
    assert make_post(gateway.port)(send) == 200
    assert gateway.bodies == [body]


@pytest.mark.parametrize(
    ("path", "target"),
    [("", b"/internal/send"), ("/", b"/internal/send"), ("/g/w/", b"/g/w/internal/send")],
)
def test_the_target(gateway: HttpGateway, path: str, target: bytes) -> None:
    """Below the base URL, whether that ends with a slash or not."""
    GatewayPost(gateway.url + path, time_limit=TIME_LIMIT, connections=1)(SEND)
    assert gateway.heads[0].startswith(b"POST " + target + b" HTTP/1.1\r\n")


@pytest.mark.parametrize("secret", ["s3cret", "ü€/+"])
def test_the_headers(gateway: HttpGateway, secret: str) -> None:
    """JSON, and the secret as UTF-8, if there is one."""
    make_post(gateway.port, secret=secret)(SEND)
    make_post(gateway.port)(SEND)
    with_secret, without = (head.split(b"\r\n") for head in gateway.heads)
    assert b"Content-Type: application/json" in with_secret
    assert b"X-SSE-Secret: " + secret.encode() in with_secret
    assert not any(line.lower().startswith(b"x-sse-secret") for line in without)


def test_the_environment_does_not_matter(
    gateway: HttpGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No proxy of the machine's is asked: the gateway is where the settings say."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert make_post(gateway.port)(SEND) == 200


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "reply",
    [OK, http_answer(404), http_answer(500, b"x" * 60_000), http_answer(204, b""), CHUNKED],
)
def test_keeps_the_connection(gateway: HttpGateway, reply: bytes) -> None:
    """One connection for sends one after the other, whatever they are answered."""
    gateway.respond = lambda send: reply
    post = make_post(gateway.port)
    statuses = {post(SEND) for _ in range(5)}
    assert (len(gateway.bodies), gateway.connections, len(statuses)) == (5, 1, 1)


def test_a_connection_that_was_closed_meanwhile(gateway: HttpGateway) -> None:
    """A kept connection that the gateway gave up is replaced, and no send is lost."""
    post = make_post(gateway.port)
    assert post(SEND) == 200
    gateway.stop()
    gateway.start()
    assert post(SEND) == 200
    assert gateway.connections == 2


@pytest.mark.parametrize("status", [200, 201, 400, 401, 404, 413, 500, 503])
def test_returns_the_status(gateway: HttpGateway, status: int) -> None:
    """What it means is for the caller to say."""
    gateway.respond = lambda send: http_answer(status)
    assert make_post(gateway.port)(SEND) == status


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", [b"/elsewhere", b"http://[", b"\xff\xfe"])
def test_redirects_are_not_followed(gateway: HttpGateway, status: int, location: bytes) -> None:
    """They are answers like any other, wherever they point."""
    gateway.respond = lambda send: http_answer(status, b"{}", b"Location: " + location)
    assert make_post(gateway.port)(SEND) == status
    assert len(gateway.bodies) == 1


def test_cookies_are_not_kept(gateway: HttpGateway) -> None:
    """What one answer sets, the next send does not bring."""
    gateway.respond = lambda send: http_answer(200, b"{}", b"Set-Cookie: a=b")
    post = make_post(gateway.port)
    post(SEND), post(SEND)
    assert b"cookie" not in gateway.heads[1].lower()


def test_a_malformed_cookie_is_not_read(caplog: pytest.LogCaptureFixture) -> None:
    """A cookie jar would warn of it, with a traceback."""
    head = b"HTTP/1.1 200 OK\r\n" + BAD_SET_COOKIE + b"Content-Length: 0\r\n\r\n"
    with ScriptedServer(answer(head)) as server:
        assert make_post(server.port)(SEND) == 200
    assert caplog.records == []


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM)
def test_interim_answers_are_skipped(interim: bytes) -> None:
    """The status is that of the final answer."""
    with ScriptedServer(answer(interim + http_answer(404))) as server:
        assert make_post(server.port)(SEND) == 404


@pytest.mark.parametrize("received", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_no_answer(received: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A status that no answer ends with, and what is no HTTP, is an error and not a status."""
    with ScriptedServer(answer(received)) as server, pytest.raises(TransportError) as raised:
        make_post(server.port)(SEND)
    assert not isinstance(raised.value, NoAnswer)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    "script",
    [
        pour_interim,
        answer(),
        answer(reset=True),
        answer(b"\0\xff garbage \r\n\r\n"),
        answer(b"HTTP/1.1 abc OK\r\n\r\n"),
        answer(b"HTTP/1."),
        answer(b"HTTP/1.1 " + b"9" * 70_000 + b"\r\n\r\n"),
        answer(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n"),
        answer(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"),
        answer(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n"),
        answer(b"HTTP/2 200\r\n\r\n"),
        answer(b"SSH-2.0-OpenSSH_9.6\r\n"),
    ],
)
def test_garbage(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    """What is no answer is one error, and none of the libraries' surprises."""
    with ScriptedServer(script) as server, pytest.raises(TransportError) as raised:
        make_post(server.port)(SEND)
    assert not isinstance(raised.value, NoAnswer)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    "script",
    [
        answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n"),
        answer(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"),
        answer(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nxyz"),
    ],
)
def test_only_the_status_counts(script: Script) -> None:
    """A body that breaks off or cannot be decoded changes nothing: the gateway has answered."""
    with ScriptedServer(script) as server:
        assert make_post(server.port)(SEND) == 200


def outcome_of(post: GatewayPost) -> int | type[Exception]:
    """What a POST comes to: the answer's status, or the kind of error."""
    try:
        return post(SEND)
    except TransportError as exc:
        return type(exc)


def drip(connection: socket.socket) -> None:
    """A header that never ends, a byte at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"y")
        gevent.sleep(LIMIT / 10)


def gush(connection: socket.socket) -> None:
    """A body that never ends, as fast as it goes."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65536)


def drip_body(connection: socket.socket) -> None:
    """A body that never ends, a byte at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x")
        gevent.sleep(LIMIT / 10)


def hang(connection: socket.socket) -> None:
    """Say nothing until the other side goes."""
    connection.recv(1)


@pytest.mark.parametrize(
    ("script", "outcome"), [(hang, NoAnswer), (drip, NoAnswer), (drip_body, 200), (gush, 200)]
)
def test_never_longer_than_its_time_limit(script: Script, outcome: int | type[Exception]) -> None:
    """Also for a gateway that says a little now and then, or far too much."""
    with ScriptedServer(script) as server, Stopwatch() as watch:
        assert outcome_of(make_post(server.port, time_limit=LIMIT)) == outcome
    assert watch.seconds < 5 * LIMIT


def test_after_no_answer_no_open_connection_is_used(gateway: HttpGateway) -> None:
    """What comes next goes on a new connection: it must not overtake what was not answered."""
    post = make_post(gateway.port, time_limit=5 * LIMIT)
    slow = gevent.event.Event()

    def respond(send: dict[str, Any]) -> bytes:
        slow.wait()
        return OK

    gateway.respond = respond
    both = [gevent.spawn(post, SEND), gevent.spawn(post, SEND)]
    wait_until(lambda: gateway.most_at_once == 2, "both to wait for an answer")
    slow.set()
    assert [greenlet.get() for greenlet in both] == [200, 200]
    assert gateway.connections == 2
    slow.clear()
    with pytest.raises(NoAnswer):
        post(SEND)
    slow.set()
    both = [gevent.spawn(post, SEND), gevent.spawn(post, SEND)]
    assert [greenlet.get() for greenlet in both] == [200, 200]
    assert gateway.connections == 4


def test_refused() -> None:
    """Nobody listens: an error, which is not the same as no answer in time."""
    gateway = HttpGateway()
    assert outcome_of(make_post(gateway.port)) is TransportError


@pytest.mark.parametrize("url", ["http://", "http://127.0.0.1:99999", "http://[", "http://\0"])
def test_a_url_that_cannot_work(url: str) -> None:
    """An error with each send, and nothing worse."""
    with pytest.raises(TransportError):
        GatewayPost(url, time_limit=LIMIT, connections=1)(SEND)


def test_a_surprise_is_logged_and_translated(
    gateway: HttpGateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a library raises, a sender must survive it."""
    post = make_post(gateway.port)

    def surprise(*_: object, **__: object) -> None:
        raise RuntimeError("surprise")

    monkeypatch.setattr(post._client, "request", surprise)
    with pytest.raises(TransportError, match=r"^the send failed: RuntimeError$"):
        post(SEND)
    (record,) = caplog.records
    assert (record.levelno, bool(record.exc_info)) == (logging.ERROR, True)


def test_somebody_elses_time_limit_is_not_ours(gateway: HttpGateway) -> None:
    """A greenlet that is killed while it posts ends as it should."""
    gateway.respond = lambda send: gevent.sleep(TIME_LIMIT) or OK  # type: ignore[func-returns-value]
    greenlet = gevent.spawn(make_post(gateway.port), SEND)
    gevent.sleep(0.02)
    greenlet.kill(timeout=TIME_LIMIT)
    assert isinstance(greenlet.value, gevent.GreenletExit)
