"""TLS sessions over loopback, and the streams that use them."""

from __future__ import annotations

import ssl
from typing import Any

import gevent

from tests.gateway_shim.running_gateway import Visit
from tests.gateway_shim.sockets import tcp_pair
from tests.support.http.stream import Stream
from tests.support.timing import TIME_LIMIT

__all__ = ["Pair", "handshake", "opened"]

Pair = tuple[Any, Any]
"""Both ends of a TLS session: client, server."""


def handshake(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> Pair:
    """Make a TLS session, and return its client and server."""
    client, server = tcp_pair()
    accepting = gevent.spawn(contexts[1].wrap_socket, server, server_side=True)
    wrapped = contexts[0].wrap_socket(client, server_hostname="127.0.0.1")
    return wrapped, accepting.get(timeout=TIME_LIMIT)


def opened(visit: Visit) -> Stream:
    """Return the stream of a visit."""
    head = visit.client.read_head()
    assert head.status == 200
    return Stream(visit.client, head, lone_ids=True)
