"""gateway_shim.systemd: sockets handed over, and telling how the service is."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_shim.systemd import Notifier, listening_already


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
        listener.settimeout(5)
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
        listener.settimeout(5)
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
