"""Ports that nobody else is given."""

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
"""The first of the only two blocks of ports that these tests use."""

NAMES = f"sse-monolith-test-{os.getpid()}"
"""What their holders are called: no other process takes these blocks under these names."""

TAKER = f"""
import sys
from gateway_shim.parity import ports
ports._BLOCKS, ports._NAMES = range({FIRST}, {FIRST} + 200, 100), "{NAMES}"
print(*[ports.free_port() for _ in range(5)], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def two_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """There are only two hundred ports, and this process has none of them yet."""
    monkeypatch.setattr(ports, "_BLOCKS", range(FIRST, FIRST + 200, 100))
    monkeypatch.setattr(ports, "_NAMES", NAMES)
    own = ports._Ports()
    monkeypatch.setattr(ports, "_ports", own)
    yield
    give_back(own)


def give_back(taken: ports._Ports) -> None:
    """Let others have the ports, as at the end of the process."""
    for holder in taken._holders:
        os.close(holder)
    let_others_run()  # gevent closes a descriptor once the event loop has forgotten it


def test_ports_are_free_and_never_the_same() -> None:
    """None is given out twice, and none is from the range of outgoing connections."""
    found = [free_port() for _ in range(150)]
    assert len(set(found)) == 150
    assert all(ports._is_free(port) and port < 32768 for port in found)


@pytest.mark.usefixtures("two_blocks")
def test_a_port_in_use_is_passed_over() -> None:
    """A server of somebody else that listens in our block."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", FIRST + 50))
        server.listen()
        found = {free_port() for _ in range(100)}
    assert FIRST + 50 not in found


@pytest.mark.usefixtures("two_blocks")
def test_processes_side_by_side_get_different_ports() -> None:
    """Each has a block; a third has to wait until one of them ends, however it ends."""
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
    """It has inherited its parent's block, which it must not use."""
    before = free_port()
    monkeypatch.setattr(ports.os, "getpid", lambda: 0)
    assert free_port() // 100 != before // 100
