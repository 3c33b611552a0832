"""Tests that a port is free although another process holds a copy of its socket."""

from __future__ import annotations

import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest

from gateway_shim.server.process.listeners import duplicate_sockets, stop_listening
from tests.support.timing import TIME_LIMIT


def can_listen(port: int) -> bool:
    """Return whether another server could listen at a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
        return True


def test_stop_listening() -> None:
    """The port is free although another copy of the socket is open."""
    with socket.create_server(("127.0.0.1", 0)) as listener, listener.dup() as copy:
        port = listener.getsockname()[1]
        made = duplicate_sockets([SimpleNamespace(sock=listener)])
        listener.close()
        assert not can_listen(port)
        stop_listening(made)
        assert copy.fileno() >= 0
        assert can_listen(port)


@pytest.mark.parametrize("closes", [True, False])
def test_close_in_copies(closes: bool) -> None:
    """A copy of the process does not listen; the process itself still listens."""
    script = f"""
import os, signal, socket
from gateway_shim.server.process.listeners import close_in_copies
listener = socket.create_server(("127.0.0.1", 0))
if {closes}:
    close_in_copies([listener])
begun, begin = os.pipe()
copy = os.fork()
if copy == 0:
    os.write(begin, b"x")
    signal.pause()
os.read(begun, 1)  # the copy has run its at-fork functions now
socket.create_connection(listener.getsockname()).close()
port = listener.getsockname()[1]
listener.close()
try:
    socket.create_server(("127.0.0.1", port)).close()
    print("free")
except OSError:
    print("busy")
os.kill(copy, signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=TIME_LIMIT,
    )
    assert done.stdout.split() == ["free" if closes else "busy"]
