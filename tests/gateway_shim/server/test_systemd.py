"""Tests of sockets that systemd hands over, and of reports to systemd."""

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
from tests.support.timing import TIME_LIMIT


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
    """Sockets count only if at least one was handed to this process."""
    assert listening_already(environ, 7) is answer


def test_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment and the id of this process are the defaults."""
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert listening_already() is True


# ------------------------------------------------------------------ the environment


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
    """The variables are read and removed; a limit that is not positive means no watchdog."""
    environ["PATH"] = "/bin"
    assert Notifier.taken_from(environ) == notifier
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize(("limit", "seconds"), [(None, 1.0), (30.0, 1.0), (2.0, 0.5)])
def test_interval(limit: float | None, seconds: float) -> None:
    """There are four reports in each time limit, and at least as many as without a watchdog."""
    assert Notifier("@n", limit).interval(1.0) == seconds


# ------------------------------------------------------------------ the reports


@pytest.fixture
def service(tmp_path: Path) -> Iterator[socket.socket]:
    """Open the socket at which a service manager listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(TIME_LIMIT)
        yield listener


def test_reports(service: socket.socket) -> None:
    """Each event of the service is one message."""
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
    """No message is sent to a watchdog that is off."""
    notifier = Notifier(service.getsockname(), None)
    notifier.alive()
    notifier.ready()
    assert service.recv(100) == b"READY=1\nSTATUS=Serving"


def test_an_abstract_address() -> None:
    """``@`` stands for the zero byte at the beginning of an abstract address."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        name = f"sse-monolith-test-{os.getpid()}"
        listener.bind(f"\0{name}")
        listener.settimeout(TIME_LIMIT)
        Notifier(f"@{name}").ready()
        assert listener.recv(100) == b"READY=1\nSTATUS=Serving"


def test_without_a_service_manager(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is sent or logged without a service manager."""
    Notifier().ready()
    Notifier().stopping()
    Notifier().alive()
    assert caplog.records == []


def test_a_service_manager_that_is_gone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A report that fails is a warning in the log."""
    with caplog.at_level(logging.WARNING):
        Notifier(str(tmp_path / "gone")).ready()
    assert [r.getMessage() for r in caplog.records] == [
        "cannot report READY=1 to systemd: [Errno 2] No such file or directory"
    ]


def fill(service: socket.socket) -> int:
    """Send until the manager's queue is full; return the number of messages in the queue."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(service.getsockname())
        sender.setblocking(False)
        count = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                sender.send(b"other")
                count += 1
        return count


@pytest.mark.parametrize("report", ["ready", "stopping", "alive"])
def test_a_full_queue_is_waited_for(
    service: socket.socket, report: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A message waits for room in the queue, and other greenlets run meanwhile."""
    count = fill(service)
    sending = gevent.spawn(getattr(Notifier(service.getsockname(), 3600.0), report))
    gevent.sleep(0.01)
    assert not sending.ready()
    received = [service.recv(100) for _ in range(count + 1)]
    sending.get(timeout=TIME_LIMIT)
    assert received[:-1] == [b"other"] * count
    assert received[-1] != b"other"
    assert caplog.records == []


def test_a_queue_that_stays_full(
    service: socket.socket, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait ends when the next report is due, and the log has a warning."""
    limits: list[float | None] = []

    class RecordingSocket(socket.socket):
        def settimeout(self, value: float | None) -> None:
            limits.append(value)
            super().settimeout(value)

    fill(service)
    monkeypatch.setattr(socket, "socket", RecordingSocket)
    Notifier(service.getsockname(), 0.2).alive()
    assert limits == [0.2 / 4]
    (record,) = caplog.records
    assert record.getMessage() == "cannot report WATCHDOG=1 to systemd: timed out"
