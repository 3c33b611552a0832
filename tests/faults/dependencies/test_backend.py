"""The backend behind HTTP fails in several ways."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from tests.faults.conftest import Tally
from tests.support.http.client import request
from tests.support.http.stream import Stream, StreamNotOpened, open_stream
from tests.support.http.switchable_server import SwitchableServer
from tests.support.processes.process_table import descriptors
from tests.support.processes.server import GatewayServer, Server
from tests.support.timing import TIME_LIMIT, wait_until


@pytest.fixture
def gateway() -> Iterator[tuple[Server, SwitchableServer]]:
    """Start a gateway and the fake backend that it calls."""
    with (
        SwitchableServer() as backend,
        GatewayServer(env={"CALLBACK_URL": backend.url}) as server,
    ):
        yield server, backend


def send(server: Server, token: str, number: int) -> None:
    """Send one event to a stream, with a number as its data."""
    body = {"token": token, "event": {"name": "n", "data": str(number)}}
    answer = request(server.port, "POST", "/internal/send", json_body=body)
    assert (answer.status, answer.json()) == (200, {"status": "ok"})


MODES: list[tuple[str | bytes, int, str]] = [
    ("close", 503, "BACKEND_UNAVAILABLE"),
    ("garbage", 503, "BACKEND_UNAVAILABLE"),
    (b"HTTP/1.1 599 No\r\nContent-Length: 0\r\n\r\n", 599, "BACKEND_ERROR"),
    (b"HTTP/1.1 500 Oops\r\nContent-Length: 99999\r\n\r\nhalf", 500, "BACKEND_ERROR"),
]
"""Modes of the backend, with the status and the code that browsers get."""


def test_the_backend_misbehaves(gateway: tuple[Server, SwitchableServer], tally: Tally) -> None:
    """While the backend fails, new streams are refused, and the open stream gets every event."""
    server, backend = gateway
    with open_stream(server.port, "/open") as stream:
        (document,) = backend.of("connect")
        token = document["token"]
        worker, sent = server.worker_pid(), 0
        held = descriptors(worker)
        for mode, status, code in MODES:
            backend.mode = mode
            for _ in range(10):
                with pytest.raises(StreamNotOpened) as refused:
                    open_stream(server.port, "/refused")
                response = refused.value.response
                assert (response.status, response.json()["error"]["code"]) == (status, code)
                send(server, token, sent)
                sent += 1
        backend.mode = "silent"
        connecting = [gevent.spawn(refusal, server) for _ in range(50)]
        for _ in range(20):
            send(server, token, sent)
            sent += 1
        # All events were sent before the gateway gave up the first callback, after five seconds.
        assert not any(greenlet.ready() for greenlet in connecting)
        answers = {greenlet.get(timeout=TIME_LIMIT) for greenlet in connecting}
        assert answers == {(504, "GATEWAY_TIMEOUT")}
        backend.refuse()
        assert refusal(server) == (503, "BACKEND_UNAVAILABLE")
        send(server, token, sent)
        sent += 1
        wait_until(lambda: len(stream.poll().events) == sent, "every event")
        assert [event.data for event in stream.events] == [str(n) for n in range(sent)]
        wait_until(lambda: descriptors(worker) <= held, "descriptors to be back")
    assert server.terminate() == 0
    assert "Traceback" not in server.log
    tally("backend refuses, is silent, answers garbage", sent, sent, "101 connects refused, 5xx")


def refusal(server: Server) -> tuple[int, str]:
    """Open a stream that is refused, and return the status and the error code."""
    with pytest.raises(StreamNotOpened) as refused:
        open_stream(server.port, "/refused")
    response = refused.value.response
    return response.status, response.json()["error"]["code"]


def test_disconnects_while_the_backend_is_away(gateway: tuple[Server, SwitchableServer]) -> None:
    """Streams end even if the callback fails, and the log has each failed callback."""
    server, backend = gateway
    streams: list[Stream] = [open_stream(server.port, f"/s/{number}") for number in range(20)]
    backend.mode = "close"
    for stream in streams:
        stream.close()
    wait_until(lambda: server.log.count("the callback failed") == 20, "twenty failures")
    backend.mode = "ok"
    with open_stream(server.port, "/after"):
        assert len(backend.of("connect")) == 21
