"""The POST of one send: its bytes, its answers, and its time limit."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from app.schemas.sse_gateway_schema import SSEGatewayEvent, SSEGatewaySendRequest
from app.services.gateway_transport import TransportError
from app.services.remote_gateway.post import GatewayPost, NoAnswer
from tests.app.services.remote_gateway.http_gateway import OK, HttpGateway, http_answer
from tests.support.http.odd_answers import BAD_SET_COOKIE, INTERIM, NO_ANSWERS, pour_interim
from tests.support.http.scripted_server import Script, ScriptedServer, answer
from tests.support.timing import TIME_LIMIT

LIMIT = 0.2
SEND = SSEGatewaySendRequest(token="T", event=SSEGatewayEvent(name="n", data="d"))


def make_post(port: int, **options: Any) -> GatewayPost:
    """Return the object under test."""
    return GatewayPost(
        f"http://127.0.0.1:{port}", **{"time_limit": TIME_LIMIT, "connections": 2, **options}
    )


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
    """The body has the fields that are set, and half a surrogate pair as an escape."""
    assert make_post(gateway.port)(send) == 200
    assert gateway.bodies == [body]


@pytest.mark.parametrize(
    ("path", "target"),
    [("", b"/internal/send"), ("/", b"/internal/send"), ("/g/w/", b"/g/w/internal/send")],
)
def test_the_target(gateway: HttpGateway, path: str, target: bytes) -> None:
    """The path is below the base URL, which may end with a slash."""
    GatewayPost(gateway.url + path, time_limit=TIME_LIMIT, connections=1)(SEND)
    assert gateway.heads[0].startswith(b"POST " + target + b" HTTP/1.1\r\n")


@pytest.mark.parametrize("secret", ["s3cret", "ü€/+"])
def test_the_headers(gateway: HttpGateway, secret: str) -> None:
    """The content type is JSON, and the secret is sent as UTF-8."""
    make_post(gateway.port, secret=secret)(SEND)
    make_post(gateway.port)(SEND)
    with_secret, without = (head.split(b"\r\n") for head in gateway.heads)
    assert b"Content-Type: application/json" in with_secret
    assert b"X-SSE-Secret: " + secret.encode() in with_secret
    assert not any(line.lower().startswith(b"x-sse-secret") for line in without)


def test_the_environment_does_not_matter(
    gateway: HttpGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of the environment is not used."""
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
def test_the_connection_is_kept(gateway: HttpGateway, reply: bytes) -> None:
    """Sends one after the other use one connection, whatever their answers are."""
    gateway.respond = lambda send: reply
    post = make_post(gateway.port)
    statuses = {post(SEND) for _ in range(5)}
    assert (len(gateway.bodies), gateway.connections, len(statuses)) == (5, 1, 1)


def test_a_connection_that_was_closed_meanwhile(gateway: HttpGateway) -> None:
    """A kept connection that the gateway has closed is replaced, and no send is lost."""
    post = make_post(gateway.port)
    assert post(SEND) == 200
    gateway.stop()
    gateway.start()
    assert post(SEND) == 200
    assert gateway.connections == 2


@pytest.mark.parametrize("status", [200, 201, 400, 401, 404, 413, 500, 503])
def test_the_status_is_returned(gateway: HttpGateway, status: int) -> None:
    """Every status is returned; the caller interprets it."""
    gateway.respond = lambda send: http_answer(status)
    assert make_post(gateway.port)(SEND) == status


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", [b"/elsewhere", b"http://[", b"\xff\xfe"])
def test_redirects_are_not_followed(gateway: HttpGateway, status: int, location: bytes) -> None:
    """A redirect is an answer like any other."""
    gateway.respond = lambda send: http_answer(status, b"{}", b"Location: " + location)
    assert make_post(gateway.port)(SEND) == status
    assert len(gateway.bodies) == 1


def test_cookies_are_not_kept(gateway: HttpGateway) -> None:
    """A cookie of one answer is not sent with the next POST."""
    gateway.respond = lambda send: http_answer(200, b"{}", b"Set-Cookie: a=b")
    post = make_post(gateway.port)
    post(SEND), post(SEND)
    assert b"cookie" not in gateway.heads[1].lower()


def test_a_malformed_cookie_is_not_read(caplog: pytest.LogCaptureFixture) -> None:
    """A malformed cookie changes nothing: a cookie jar would warn of it, with a traceback."""
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
    """A status that ends no answer, or an answer that is not HTTP, is an error."""
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
    """An answer that is not HTTP is one error, not an unexpected error of a library."""
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
    """A body that breaks off or cannot be decoded changes nothing."""
    with ScriptedServer(script) as server:
        assert make_post(server.port)(SEND) == 200


def outcome_of(post: GatewayPost) -> int | type[Exception]:
    """Return the status of a POST, or the class of its error."""
    try:
        return post(SEND)
    except TransportError as exc:
        return type(exc)


def test_refused() -> None:
    """A refused connection is an error, but not NoAnswer."""
    gateway = HttpGateway()
    assert outcome_of(make_post(gateway.port)) is TransportError


@pytest.mark.parametrize("url", ["http://", "http://127.0.0.1:99999", "http://[", "http://\0"])
def test_a_url_that_cannot_work(url: str) -> None:
    """A URL that cannot be used is an error of each send."""
    with pytest.raises(TransportError):
        GatewayPost(url, time_limit=LIMIT, connections=1)(SEND)


def test_an_unexpected_error_is_logged_and_translated(
    gateway: HttpGateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected error of a library becomes a TransportError."""
    post = make_post(gateway.port)

    def surprise(*_: object, **__: object) -> None:
        raise RuntimeError("surprise")

    monkeypatch.setattr(post._client, "request", surprise)
    with pytest.raises(TransportError, match=r"^the send failed: RuntimeError$"):
        post(SEND)
    (record,) = caplog.records
    assert (record.levelno, bool(record.exc_info)) == (logging.ERROR, True)
