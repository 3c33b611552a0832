"""The endpoint ``POST /internal/send``. Its checks are tested with ``parse_send``."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from gateway_shim.streams.send_endpoint import answer_send
from tests.gateway_shim.running_gateway import RunningGateway
from tests.support.http.message import Ended


def send(
    running: RunningGateway, content_type: str | None = "application/json", **body: object
) -> tuple[int, Any]:
    """Carry out a send, and return status and body of the answer."""
    status, answer = answer_send(running.gateway, content_type, json.dumps(body).encode())
    return status, json.loads(answer)


def test_send(running: RunningGateway) -> None:
    """An event is written to the stream, and the close after it."""
    token, stream = running.open()
    event = {"name": "n", "data": "1"}
    assert send(running, token=token, event=event, close=True) == (200, {"status": "ok"})
    assert stream.wait_for_end() is Ended.CLEAN
    assert [(event.type, event.data) for event in stream.events] == [("n", "1")]


def test_buffered(running: RunningGateway) -> None:
    """A send during the callback is answered with ``buffered``."""
    answers = []
    running.backend.during = lambda token: answers.append(send(running, token=token))
    running.open()
    assert answers == [(200, {"status": "buffered"})]


def test_unknown_token(running: RunningGateway) -> None:
    """A send to an unknown token is answered with 404."""
    error = {"message": "Token not found", "code": "TOKEN_NOT_FOUND"}
    assert send(running, token="nobody") == (404, {"error": error})


def test_write_failed(running: RunningGateway) -> None:
    """A send whose write fails is answered with 500."""
    token, stream = running.open()
    stream.connection.socket.shutdown(socket.SHUT_RDWR)
    error = {"message": "Write failed: connection closed", "code": "WRITE_FAILED"}
    assert send(running, token=token, event={"data": "x"}) == (500, {"error": error})


@pytest.mark.parametrize("content_type", [None, "text/plain"])
def test_other_content_types(running: RunningGateway, content_type: str | None) -> None:
    """A send without a Content-Type is refused like a send of another type."""
    status, body = send(running, content_type, token="t")
    assert (status, body["error"]["code"]) == (400, "INVALID_JSON")
