"""The clients and senders: sends, posts and other requests."""

from __future__ import annotations

import json
import socket
import threading
import zlib

import pytest

from gateway_shim.parity.play.client import Client
from tests.gateway_shim.parity.fixed_answer import answering
from tests.support.timing import TIME_LIMIT

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def _request(act: str) -> bytes:
    """Return the bytes that a client writes."""
    seen: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            seen.append(connection.recv(65536))
            connection.sendall(_ANSWER)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    client = Client("127.0.0.1", server.getsockname()[1])
    if act == "send":
        client.send({"token": "$T", "close": True}, "t1")
    elif act == "compressed":
        client.send({"token": "$T"}, "t1", coding="GZIP", packing="deflate")
    elif act == "post":
        client.post(b"raw", None)
    else:
        client.exchange("OPTIONS", "/x", (("A", "b"),), b"")
    thread.join(TIME_LIMIT)
    server.close()
    client.close_all()
    return seen[0]


def test_a_send_is_json_with_the_streams_token() -> None:
    """A send replaces ``$T`` by the token and has the content type of JSON."""
    body = json.dumps({"token": "t1", "close": True}).encode()
    assert _request("send") == (
        b"POST /internal/send HTTP/1.1\r\nHost: gw.example\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )


def test_a_send_can_be_compressed() -> None:
    """The Content-Encoding header and the compression can differ."""
    head, _, body = _request("compressed").partition(b"\r\n\r\n")
    assert b"\r\nContent-Encoding: GZIP\r\n" in head
    assert json.loads(zlib.decompress(body)) == {"token": "t1"}


def test_a_post_can_have_any_body_and_no_type() -> None:
    """A post adds only the length to what is given."""
    assert _request("post") == (
        b"POST /internal/send HTTP/1.1\r\nHost: gw.example\r\nContent-Length: 3\r\n\r\nraw"
    )


def test_a_request_without_a_body_has_no_length() -> None:
    """A request without a body has only Host and the given headers."""
    assert _request("other") == b"OPTIONS /x HTTP/1.1\r\nHost: gw.example\r\nA: b\r\n\r\n"


def test_a_missing_answer_is_a_timeout() -> None:
    """An answer that does not come raises a TimeoutError."""
    with answering(then="wait") as port:
        client = Client("127.0.0.1", port, patience=0.01)
        with pytest.raises(TimeoutError):
            client.post(b"", None)
        client.close_all()
