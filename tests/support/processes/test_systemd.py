"""Tests of the stand-in for systemd."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes.systemd import FakeManager, socket_activated


def test_messages(tmp_path: Path) -> None:
    """The first lines of messages are returned in order, and None if no message comes."""
    with (
        FakeManager(tmp_path) as manager,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
    ):
        for message in (b"A=1\nB=2", b"C=3"):
            sender.sendto(message, manager.address)
        assert manager.messages_until("C=3") == ["A=1", "C=3"]
        assert manager.next_message(0.01) is None


def test_a_message_that_does_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the message that is missing and the messages that came."""
    with FakeManager(tmp_path) as manager:
        monkeypatch.setattr(manager, "next_message", lambda: None)
        with pytest.raises(AssertionError, match="no READY=1 after"):
            manager.messages_until("READY=1")


def test_activation() -> None:
    """The command gets the listener as descriptor 3, and LISTEN_PID is its own process id."""
    program = (
        "import os, socket; s = socket.socket(fileno=3);"
        "print(s.getsockname()[1], os.environ['LISTEN_PID'] == str(os.getpid()),"
        " os.environ['LISTEN_FDS'])"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ran = subprocess.run(
            socket_activated(listener, [sys.executable, "-c", program]),
            pass_fds=[listener.fileno()],
            capture_output=True,
            text=True,
        )
        assert (ran.stdout, ran.stderr) == (f"{listener.getsockname()[1]} True 1\n", "")
