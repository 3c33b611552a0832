"""Sockets handed over, and telling how the service is."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from gateway_shim.server.systemd import Notifier, listening_already
from tests.support.timing import TIME_LIMIT, Stopwatch


@pytest.mark.parametrize(
    ("environ", "answer"),
    [
        ({}, False),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "2"}, True),
        ({"LISTEN_PID": "8", "LISTEN_FDS": "2"}, False),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "0"}, False),
        ({"LISTEN_PID": "7"}, False),
        ({"LISTEN_PID": "x", "LISTEN_FDS": "1"}, False),
        ({"LISTEN_PID": "7", "LISTEN_FDS": ""}, False),
    ],
)
def test_listening_already(environ: dict[str, str], answer: bool) -> None:
    """Only if at least one socket was meant for this very process."""
    assert listening_already(environ, 7) is answer


def test_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own environment and id, unless others are given."""
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert listening_already() is True


# ------------------------------------------------------------------ what is taken


@pytest.mark.parametrize(
    ("environ", "notifier"),
    [
        ({}, Notifier(None, None)),
        ({"NOTIFY_SOCKET": ""}, Notifier(None, None)),
        ({"NOTIFY_SOCKET": "/run/n"}, Notifier("/run/n", None)),
        (
            {"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "2500000", "WATCHDOG_PID": "1"},
            Notifier("@n", 2.5),
        ),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "-1"}, Notifier("@n", None)),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "0"}, Notifier("@n", None)),
        ({"WATCHDOG_USEC": "2500000"}, Notifier(None, None)),
    ],
)
def test_taken_from(environ: dict[str, str], notifier: Notifier) -> None:
    """Read, and out of the environment that children get; what cannot be meant is no watchdog."""
    environ["PATH"] = "/bin"
    assert Notifier.taken_from(environ) == notifier
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize(("limit", "seconds"), [(None, 1.0), (30.0, 1.0), (2.0, 0.5)])
def test_interval(limit: float | None, seconds: float) -> None:
    """Four feeds in each of the watchdog's limits, and never fewer than without one."""
    assert Notifier("@n", limit).interval(1.0) == seconds


# ------------------------------------------------------------------ what is told


@pytest.fixture
def service(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket that a service manager listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(TIME_LIMIT)
        yield listener


def test_what_is_told(service: socket.socket) -> None:
    """One message for each thing that happens."""
    notifier = Notifier(service.getsockname(), 1.0)
    notifier.ready()
    notifier.alive()
    notifier.stopping()
    assert [service.recv(100) for _ in range(3)] == [
        b"READY=1\nSTATUS=Serving",
        b"WATCHDOG=1",
        b"STOPPING=1\nSTATUS=Draining",
    ]


def test_without_a_watchdog(service: socket.socket) -> None:
    """Nobody is fed."""
    notifier = Notifier(service.getsockname(), None)
    notifier.alive()
    notifier.ready()
    assert service.recv(100) == b"READY=1\nSTATUS=Serving"


def test_an_abstract_address() -> None:
    """``@`` stands for the zero byte that begins one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        name = f"sse-monolith-test-{os.getpid()}"
        listener.bind(f"\0{name}")
        listener.settimeout(TIME_LIMIT)
        Notifier(f"@{name}").ready()
        assert listener.recv(100) == b"READY=1\nSTATUS=Serving"


def test_nobody_wants_to_know(caplog: pytest.LogCaptureFixture) -> None:
    """Silence, and no complaint."""
    Notifier().ready()
    Notifier().stopping()
    Notifier().alive()
    assert caplog.records == []


def test_a_service_manager_that_is_gone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A warning; what serves goes on."""
    with caplog.at_level(logging.WARNING):
        Notifier(str(tmp_path / "gone")).ready()
    assert [r.getMessage() for r in caplog.records] == [
        "systemd was not told READY=1: [Errno 2] No such file or directory"
    ]


def fill(service: socket.socket) -> int:
    """Send until the manager's queue is full; how many messages it holds."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(service.getsockname())
        sender.setblocking(False)
        count = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                sender.send(b"other")
                count += 1
        return count


@pytest.mark.parametrize("tell", ["ready", "stopping", "alive"])
def test_a_full_queue_is_waited_for(
    service: socket.socket, tell: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A busy manager reads late: the message waits for room, and others run meanwhile."""
    count = fill(service)
    telling = gevent.spawn(getattr(Notifier(service.getsockname(), 3600.0), tell))
    gevent.sleep(0.01)
    assert not telling.ready()
    told = [service.recv(100) for _ in range(count + 1)]
    telling.get(timeout=TIME_LIMIT)
    assert told[:-1] == [b"other"] * count
    assert told[-1] != b"other"
    assert caplog.records == []


def test_a_queue_that_stays_full(service: socket.socket, caplog: pytest.LogCaptureFixture) -> None:
    """The wait ends when the watchdog has to be fed again; then a warning, and life goes on."""
    fill(service)
    notifier = Notifier(service.getsockname(), 0.2)
    with Stopwatch() as watch:
        notifier.alive()
    assert 0.04 < watch.seconds < 0.5
    (record,) = caplog.records
    assert record.getMessage() == "systemd was not told WATCHDOG=1: timed out"
