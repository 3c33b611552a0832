"""A server that closes serves what it has accepted."""

from __future__ import annotations

import _socket
import socket
import ssl
from contextlib import ExitStack

import trustme

from gateway_shim.server.connections.arrivals import STREAMS_IN_A_ROUND
from tests.gateway_shim.hub_errors import HubErrors
from tests.gateway_shim.server.connections.greeting_server import REQUEST, GreetingServer
from tests.support.timing import wait_until


def test_a_close_while_streams_are_queued(
    greeting_server: GreetingServer, stack: ExitStack
) -> None:
    """Requests for streams that were accepted before the close are answered."""
    clients = []
    for _ in range(STREAMS_IN_A_ROUND + 4):
        client = _socket.socket()  # not gevent's, as above
        stack.callback(client.close)
        client.connect(("127.0.0.1", greeting_server.server.server_port))
        client.sendall(b"GET /stream HTTP/1.1\r\n\r\n")
        clients.append(client)
    server = greeting_server.server
    server._do_read()  # as the loop calls it
    assert len(server._arrivals) == 4
    server.close()
    server.close()
    for client in clients:
        answer = socket.socket(fileno=client.detach())
        stack.callback(answer.close)
        assert answer.recv(100) == b"hello"


def test_a_close_during_a_handshake(stack: ExitStack) -> None:
    """A TLS connection that was accepted before the close is served after its handshake."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    greeting_server = GreetingServer(20, ssl_context=context)
    with HubErrors():
        greeting_server.server.start()
        client = greeting_server.connect(stack)
        wait_until(lambda: greeting_server.line.count, "it to have a handler")
        greeting_server.server.close()
        with trusting.wrap_socket(client, server_hostname="127.0.0.1") as secured:
            secured.sendall(REQUEST)
            assert secured.recv(100) == b"hello"
        greeting_server.server.stop(timeout=0)
