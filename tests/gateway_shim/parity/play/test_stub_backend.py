"""The stub backend: scripted answers, sends during a callback, and recorded callbacks."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from gateway_shim.parity.play.session import Callback
from gateway_shim.parity.play.stub_backend import StubBackend
from gateway_shim.parity.play.targets import AUTHORITY, CERTIFICATE
from gateway_shim.parity.reply import After, Fate, Reply
from tests.support.http.client import Connection, Ended, request_bytes
from tests.support.timing import TIME_LIMIT

_CONNECT = {"action": "connect", "token": "t1"}


@pytest.fixture
def backend() -> Iterator[StubBackend]:
    """Provide a backend on its own port."""
    stub = StubBackend()
    yield stub
    stub.stop()


def _post(backend: StubBackend, body: Any) -> requests.Response:
    return requests.post(
        backend.url, json=body, timeout=TIME_LIMIT, headers={"Connection": "close"}
    )


def test_callbacks_are_kept_as_they_came(backend: StubBackend) -> None:
    """Callbacks keep method, path with query, content type and JSON, in order."""
    session = backend.begin(lambda body: None)
    _post(backend, _CONNECT)
    requests.put(backend.url, "no json", timeout=TIME_LIMIT, headers={"Connection": "close"})
    path = "/api/sse/callback?secret=s3cret"
    assert session.callbacks == [
        Callback("POST", path, "application/json", _CONNECT),
        Callback("PUT", path, None, "no json"),
    ]


@pytest.mark.parametrize(("status", "body"), [(200, "{}"), (403, "no"), (204, "")])
def test_the_answer_is_as_scripted_once(backend: StubBackend, status: int, body: str) -> None:
    """One connect callback gets the scripted answer, and the next one gets 200."""
    session = backend.begin(lambda body: None)
    session.expect(Reply(status, "My Reason", body))
    first, second = _post(backend, _CONNECT), _post(backend, _CONNECT)
    assert (first.status_code, first.reason, first.text) == (status, "My Reason", body)
    assert (second.status_code, second.reason, second.text) == (200, "OK", "{}")


def test_interim_answers_come_before_the_answer(backend: StubBackend) -> None:
    """Interim answers come before the final answer, each with a header."""
    backend.begin(lambda body: None).expect(Reply(204, interim=(102, 103)))
    body = json.dumps(_CONNECT).encode()
    with Connection(urlsplit(backend.url).port or 0) as connection:
        connection.send(request_bytes("POST", "/", [("Connection", "close")], body))
        heads = [connection.read_head() for _ in range(3)]
    assert [head.status for head in heads] == [102, 103, 204]
    assert [head.get("Link") is not None for head in heads] == [True, True, False]


def test_sends_happen_before_the_answer_with_the_token(backend: StubBackend) -> None:
    """Sends have the callback's token, and their answers are kept."""
    sent: list[Any] = []
    session = backend.begin(lambda body: sent.append(body) or len(sent))  # type: ignore[func-returns-value]
    session.expect(Reply(sends=({"token": "$T"}, {"token": "other"}, [])))
    _post(backend, _CONNECT)
    assert sent == [{"token": "t1"}, {"token": "other"}, []]
    assert session.during == [1, 2, 3]


def test_a_reset_is_no_answer(backend: StubBackend) -> None:
    """A reset breaks the caller's connection."""
    session = backend.begin(lambda body: None)
    session.expect(Reply(fate=Fate.RESET))
    with pytest.raises(requests.ConnectionError):
        _post(backend, _CONNECT)
    assert session.tokens() == ["t1"]


def test_a_held_callback_waits_for_its_release(backend: StubBackend) -> None:
    """A held callback is recorded at once and answered after its release."""
    session = backend.begin(lambda body: None)
    session.expect(Reply(fate=Fate.HOLD))
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(_post(backend, _CONNECT).status_code))
    thread.start()
    assert session.wait_for(lambda seen: len(seen) == 1, 10)
    before = list(answers)
    session.release()
    thread.join(TIME_LIMIT)
    assert (before, answers) == ([], [200])


def test_late_callbacks_of_an_earlier_session_are_dropped(backend: StubBackend) -> None:
    """A disconnect of an earlier session is dropped; a disconnect with an unknown token is kept."""
    backend.begin(lambda body: None)
    _post(backend, _CONNECT)
    session = backend.begin(lambda body: None)
    _post(backend, {"action": "disconnect", "token": "t1"})
    _post(backend, {"action": "disconnect", "token": "t2"})
    assert [callback.token for callback in session.callbacks] == ["t2"]


def _rest(connection: Connection) -> bytes:
    deadline = time.monotonic() + TIME_LIMIT
    return b"".join(iter(lambda: connection.receive(deadline), b""))


def _raw(backend: StubBackend, reply: Reply) -> Iterator[Connection]:
    backend.begin(lambda body: None).expect(reply)
    with Connection(urlsplit(backend.url).port or 0) as connection:
        connection.send(request_bytes("POST", "/", [], json.dumps(_CONNECT).encode()))
        yield connection


@pytest.mark.parametrize("every", [0.0, 0.0001])
def test_a_raw_answer_is_written_as_it_is_and_the_connection_closed(
    backend: StubBackend, every: float
) -> None:
    """A raw answer can have any bytes, written at once or one by one."""
    reply = Reply(raw=("\0\xff nonsense", ("x", 3)), after=After.CLOSE, every=every)
    for connection in _raw(backend, reply):
        assert _rest(connection) == b"\0\xff nonsensexxx"


def test_a_raw_answer_can_name_the_port(backend: StubBackend) -> None:
    """The port replaces ``$PORT``, for a redirect to a whole URL."""
    for connection in _raw(backend, Reply(raw="Location: http://h:$PORT/", after=After.CLOSE)):
        assert _rest(connection) == f"Location: http://h:{backend.port}/".encode()


def test_a_raw_answer_can_leave_the_connection_open(backend: StubBackend) -> None:
    """The next callback on an open connection gets the answer that follows."""
    then = Reply(raw="HTTP/1.1 403 F\r\nContent-Length: 0\r\n\r\n")
    redirect = Reply(raw="HTTP/1.1 307 M\r\nLocation: /\r\n\r\n", then=(then,))
    for connection in _raw(backend, redirect):
        first = connection.read_head().status
        connection.send(request_bytes("GET", "/other"))
        assert (first, connection.read_head().status) == (307, 403)


def test_a_raw_answer_can_end_in_a_reset(backend: StubBackend) -> None:
    """A raw answer can end in a reset, also without any bytes."""
    for connection in _raw(backend, Reply(raw="", after=After.RESET)):
        assert connection.wait_closed() is Ended.RESET


def test_the_rest_of_an_answer_is_withheld_until_it_is_released(backend: StubBackend) -> None:
    """A withheld answer gets its tail after the release, and the connection is closed."""
    reply = Reply(raw="HTTP/1.1 200 OK\r\n\r\n", after=After.WITHHOLD, tail="{}")
    for connection in _raw(backend, reply):
        connection.read_head()
        before = backend.session.withheld
        backend.session.release()
        assert (before, _rest(connection)) == (True, b"{}")
    assert backend.session.withheld is False


def test_the_end_of_every_answer_can_be_awaited(backend: StubBackend) -> None:
    """The backend is idle when the rest of an answer was written and the connection closed."""
    reply = Reply(raw="HTTP/1.1 204 N\r\n\r\n", after=After.WITHHOLD, tail="{}")
    for connection in _raw(backend, reply):
        connection.read_head()
        before = backend.wait_idle(0)
        backend.session.release()
        assert (before, backend.wait_idle(TIME_LIMIT)) == (False, True)
        deadline = time.monotonic()  # nothing more has to be waited for
        assert (connection.receive(deadline), connection.receive(deadline)) == (b"{}", b"")


def test_a_close_can_be_awaited(backend: StubBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that its answer closes is awaited; one that stays open is not."""
    may_close = threading.Event()
    close = socket.socket.shutdown

    def late(sock: socket.socket, how: int) -> None:
        assert may_close.wait(TIME_LIMIT)
        close(sock, how)

    monkeypatch.setattr(socket.socket, "shutdown", late)
    whole = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    for connection in _raw(backend, Reply(raw=whole)):
        connection.read_head()
        assert backend.wait_closed(0)
        backend.session.expect(Reply(raw=whole, after=After.CLOSE))
        connection.send(request_bytes("POST", "/", [], json.dumps(_CONNECT).encode()))
        connection.read_head()
        before = backend.wait_closed(0)
        may_close.set()
        assert (before, backend.wait_closed(TIME_LIMIT)) == (False, True)


def test_a_stopped_backend_frees_its_port(backend: StubBackend) -> None:
    """The port of a stopped backend can be used at once."""
    port = backend.port
    backend.stop()
    again = StubBackend(port)
    again.stop()
    assert again.port == port


def test_a_backend_can_speak_tls() -> None:
    """Only a client that trusts the kit's authority gets an answer over TLS."""
    backend = StubBackend(certificate=CERTIFICATE)
    url = backend.url.replace("http:", "https:")
    closing = {"Connection": "close"}
    with pytest.raises(requests.exceptions.SSLError):
        requests.post(url, json=_CONNECT, timeout=TIME_LIMIT)
    answer = requests.post(
        url, json=_CONNECT, timeout=TIME_LIMIT, verify=str(AUTHORITY), headers=closing
    )
    assert (answer.status_code, backend.session.tokens()) == (200, ["t1"])
    backend.stop()


def test_a_callback_has_its_target_text_and_connection(backend: StubBackend) -> None:
    """A callback has its unchanged target, its text, its authorization and its connection."""
    session = backend.begin(lambda body: None)
    for target in ("//a", "/b"):
        url = f"http://127.0.0.1:{backend.port}{target}"
        requests.post(
            url, "{ }", auth=("u", "p"), timeout=TIME_LIMIT, headers={"Connection": "close"}
        )
    first, second = session.callbacks
    assert (first.path, first.text, first.authorization) == ("//a", "{ }", "Basic dTpw")
    assert first.connection != second.connection
