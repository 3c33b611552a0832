"""Sessions that are taken out of their sockets, and what happens if that is not possible."""

from __future__ import annotations

import contextlib
import gc
import ssl
import weakref
from types import SimpleNamespace
from typing import Any

import gevent
import pytest

from gateway_shim.streams.sockets.tls_session import (
    WOULD_BLOCK,
    KeptSession,
    can_release,
    release,
)
from tests.gateway_shim.streams.sockets.tls_pairs import handshake
from tests.support.timing import TIME_LIMIT

Contexts = tuple[ssl.SSLContext, ssl.SSLContext]


def test_release(contexts: Contexts) -> None:
    """A released session reads and writes; the object that had it can be closed and freed."""
    client, server = handshake(contexts)
    descriptor = server.fileno()
    released = release(server)
    assert released is not None
    session, plain = released
    assert (plain.fileno(), plain.gettimeout(), server.fileno()) == (descriptor, 0.0, -1)
    server.close()
    gone = weakref.ref(server)
    del server
    gevent.sleep(0)  # the hub closes its watchers
    gc.collect()
    assert gone() is None
    assert session.write(b"to the client") == 13
    assert client.recv(100) == b"to the client"
    with pytest.raises(ssl.SSLWantReadError):
        session.read(100)
    client.sendall(b"to the server")
    gevent.socket.wait_read(descriptor, timeout=TIME_LIMIT)
    assert session.read(100) == b"to the server"
    plain.close()
    client.close()


def test_can_release(contexts: Contexts) -> None:
    """This version of Python and gevent allows it. If this fails, TLS streams take more memory."""
    assert can_release(contexts[1])


@pytest.mark.parametrize("missing", ["_sslobj", "_sock", "owner", "write"])
def test_another_version(pair: tuple[Any, Any], missing: str) -> None:
    """If anything is not as it is known, nothing is changed."""
    client, server = pair
    session = {name: getattr(server._sslobj, name) for name in ("read", "write", "shutdown")}
    session["owner"] = server._sock
    known = {"_sslobj": SimpleNamespace(**session), "_sock": server._sock}
    known.pop(missing, None)
    if missing in session:
        delattr(known["_sslobj"], missing)
    assert release(SimpleNamespace(**known)) is None
    server.sendall(b"as before")
    assert client.recv(100) == b"as before"
    server.close()
    client.close()


def test_cannot_release() -> None:
    """A socket of another kind is closed again."""
    unknown: Any = SimpleNamespace(
        wrap_socket=lambda sock, **_: SimpleNamespace(close=sock.close, _sock=None)
    )
    assert not can_release(unknown)


def test_kept_session(pair: tuple[Any, Any]) -> None:
    """The session that stays in its object behaves like a released one."""
    client, server = pair
    server.settimeout(0)
    session = KeptSession(server)
    with pytest.raises(ssl.SSLWantReadError):
        session.read(100)
    with contextlib.suppress(*WOULD_BLOCK):
        while session.write(b"x" * 16384):
            pass
    client.settimeout(TIME_LIMIT)
    client.recv(100)
    with pytest.raises(ssl.SSLError):
        session.shutdown()  # the client's close_notify is missing, or the kernel is full
    server.close()
    with pytest.raises(OSError, match="closed"):
        session.read(1)
    with pytest.raises(ConnectionError):
        session.shutdown()
    client.close()
