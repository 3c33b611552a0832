"""Ports: each is free and is given out once."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gateway_shim.event_loop.turns import let_others_run
from gateway_shim.parity import ports
from gateway_shim.parity.ports import free_port
from tests.support.processes.server import ROOT
from tests.support.timing import TIME_LIMIT

FIRST = 31_000
"""The first port of the only two blocks that these tests use."""

NAMES = f"sse-monolith-test-{os.getpid()}"
"""The name of the blocks' holders; no other process takes blocks under this name."""

TAKER = f"""
import sys
from gateway_shim.parity import ports
ports._BLOCKS, ports._NAMES = range({FIRST}, {FIRST} + 200, 100), "{NAMES}"
print(*[ports.free_port() for _ in range(5)], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def two_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Limit this process to two hundred ports, of which it has none yet."""
    monkeypatch.setattr(ports, "_BLOCKS", range(FIRST, FIRST + 200, 100))
    monkeypatch.setattr(ports, "_NAMES", NAMES)
    own = ports._Ports()
    monkeypatch.setattr(ports, "_ports", own)
    yield
    give_back(own)


def give_back(taken: ports._Ports) -> None:
    """Release the ports for other processes, as the end of the process does."""
    for holder in taken._holders:
        os.close(holder)
    let_others_run()  # gevent closes a descriptor once the event loop has forgotten it


def test_ports_are_free_and_never_the_same() -> None:
    """No port is given out twice or is in the range of outgoing connections."""
    found = [free_port() for _ in range(150)]
    assert len(set(found)) == 150
    assert all(ports._is_free(port) and port < 32768 for port in found)


@pytest.mark.usefixtures("two_blocks")
def test_a_port_in_use_is_skipped() -> None:
    """A port of our block on which another server listens is skipped."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", FIRST + 50))
        server.listen()
        found = {free_port() for _ in range(100)}
    assert FIRST + 50 not in found


@pytest.mark.usefixtures("two_blocks")
def test_processes_side_by_side_get_different_ports() -> None:
    """Two processes have different blocks, and a third gets a block when one of them ends."""
    command = [sys.executable, "-c", TAKER]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        theirs = {int(port) for port in other.stdout.readline().split()}
        ours = {free_port() for _ in range(5)}
        assert len(theirs | ours) == 10
        third = ports._Ports()
        with pytest.raises(OSError, match="other processes have taken all of them"):
            third.next()
        other.kill()
        other.wait(TIME_LIMIT)
    assert third.next() // 100 == min(theirs) // 100
    give_back(third)


@pytest.mark.usefixtures("two_blocks")
def test_a_forked_child_has_ports_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forked child does not use the block of its parent."""
    before = free_port()
    monkeypatch.setattr("gateway_shim.parity.ports.os.getpid", lambda: 0)
    assert free_port() // 100 != before // 100
