"""The stub backend: scripted answers, sends during a callback, and what it keeps."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from gateway_shim.parity.stub_backend import Callback, Fate, Reply, Session, StubBackend
from tests.support.http import Connection, request_bytes
from tests.support.timing import TIME_LIMIT

_CONNECT = {"action": "connect", "token": "t1"}


@pytest.fixture
def backend() -> Iterator[StubBackend]:
    """A backend on a port of its own."""
    stub = StubBackend()
    yield stub
    stub.stop()


def _post(backend: StubBackend, body: Any) -> requests.Response:
    return requests.post(
        backend.url, json=body, timeout=TIME_LIMIT, headers={"Connection": "close"}
    )


def test_callbacks_are_kept_as_they_came(backend: StubBackend) -> None:
    """Method, path with its query, content type and JSON, in order."""
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
    """Status, reason and body of one connect callback; the next one gets 200."""
    session = backend.begin(lambda body: None)
    session.expect(Reply(status, "My Reason", body))
    first, second = _post(backend, _CONNECT), _post(backend, _CONNECT)
    assert (first.status_code, first.reason, first.text) == (status, "My Reason", body)
    assert (second.status_code, second.reason, second.text) == (200, "OK", "{}")


def test_interim_answers_come_before_the_answer(backend: StubBackend) -> None:
    """On the wire, each with a header of its own."""
    backend.begin(lambda body: None).expect(Reply(204, interim=(102, 103)))
    body = json.dumps(_CONNECT).encode()
    with Connection(urlsplit(backend.url).port or 0) as connection:
        connection.send(request_bytes("POST", "/", [("Connection", "close")], body))
        heads = [connection.read_head() for _ in range(3)]
    assert [head.status for head in heads] == [102, 103, 204]
    assert [head.get("Link") is not None for head in heads] == [True, True, False]


def test_sends_happen_before_the_answer_with_the_token(backend: StubBackend) -> None:
    """``$T`` is the callback's token, and the sends' answers are kept."""
    sent: list[Any] = []
    session = backend.begin(lambda body: sent.append(body) or len(sent))  # type: ignore[func-returns-value]
    session.expect(Reply(sends=({"token": "$T"}, {"token": "other"}, [])))
    _post(backend, _CONNECT)
    assert sent == [{"token": "t1"}, {"token": "other"}, []]
    assert session.during == [1, 2, 3]


def test_a_reset_is_no_answer(backend: StubBackend) -> None:
    """The caller's connection breaks."""
    session = backend.begin(lambda body: None)
    session.expect(Reply(fate=Fate.RESET))
    with pytest.raises(requests.ConnectionError):
        _post(backend, _CONNECT)
    assert session.tokens() == ["t1"]


def test_a_held_callback_waits_for_its_release(backend: StubBackend) -> None:
    """It is recorded at once and answered when told."""
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


def test_late_callbacks_of_an_older_session_are_not_the_new_ones(backend: StubBackend) -> None:
    """A disconnect of an earlier scenario's stream is dropped, a stranger's is kept."""
    backend.begin(lambda body: None)
    _post(backend, _CONNECT)
    session = backend.begin(lambda body: None)
    _post(backend, {"action": "disconnect", "token": "t1"})
    _post(backend, {"action": "disconnect", "token": "t2"})
    assert [callback.token for callback in session.callbacks] == ["t2"]


def test_disconnects_have_an_answer_of_their_own() -> None:
    """Connects are not touched by it."""
    session = Session(send=lambda body: body)
    session.on_disconnect = Reply(500, sends=({"token": "$T"},))
    connect = session.take(Callback("POST", "/", None, _CONNECT))
    disconnect = session.take(Callback("POST", "/", None, {**_CONNECT, "action": "disconnect"}))
    assert (connect.status, disconnect.status, session.during) == (200, 500, [{"token": "t1"}])


def test_waiting_for_callbacks_ends_with_the_time() -> None:
    """False, and no exception."""
    assert Session(send=lambda body: None).wait_for(lambda seen: bool(seen), 0.01) is False


def test_a_stopped_backend_frees_its_port(backend: StubBackend) -> None:
    """Another one can have it at once."""
    port = backend.port
    backend.stop()
    again = StubBackend(port)
    again.stop()
    assert again.port == port
