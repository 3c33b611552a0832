"""Tests of the attacks themselves: each attack begins, reaches the server, and ends."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gevent
import pytest

from tests.faults.attacks.attack import ATTACKS, Attack
from tests.faults.attacks.target import Pace, Target
from tests.faults.attacks.user_tasks import APP_TASKS
from tests.support.processes.process_table import descriptors
from tests.support.processes.server import GunicornServer
from tests.support.timing import TIME_LIMIT, wait_until

FEWER: dict[str, Any] = {"connections": 20, "tasks": 8, "size": 100_000}
"""Options that make all attacks small."""


@pytest.fixture(scope="module")
def server() -> Iterator[GunicornServer]:
    """Start a backend with the tasks of the attacks."""
    with GunicornServer(env={"APP_TASKS": APP_TASKS}) as running:
        yield running


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_begins_and_ends(server: GunicornServer, name: str) -> None:
    """An attack is in effect in its block, and leaves no connection at the server."""
    worker = server.worker_pid()
    before = descriptors(worker)
    with Attack(name, server.port, **FEWER):
        pass
    wait_until(
        lambda: descriptors(worker) <= before + 2,
        lambda: f"{before} descriptors; there are {descriptors(worker)}",
    )


def test_connections_are_held_open() -> None:
    """The attack ``half_open_heads`` opens a connection again after the server has closed it."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        listener.settimeout(TIME_LIMIT)
        with Attack("half_open_heads", listener.getsockname()[1], connections=10):
            taken = [listener.accept()[0] for _ in range(10)]
            assert b"\r\n\r\n" not in taken[0].recv(4096)
            taken.pop(0).close()
            taken.append(listener.accept()[0])
        for connection in taken:
            connection.close()


def test_an_attack_that_cannot_begin() -> None:
    """An attack that cannot reach its server raises an error instead of waiting."""
    with pytest.raises(AssertionError, match="ended"), Attack("pipelining", 1):
        pass


def test_an_attack_that_is_given_up_while_it_begins() -> None:
    """An attack that is killed while it begins leaves no process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        attack = Attack("half_open_heads", listener.getsockname()[1], connections=10_000)
        entering = gevent.spawn(attack.__enter__)
        process = wait_until(lambda: attack._process, "the process to start")
        gevent.sleep(0)
        entering.kill()
    assert process.poll() is not None


def test_headers_are_sent() -> None:
    """An attack can send additional headers, such as those of a proxy."""
    target = Target("127.0.0.1", 80, [("X-Forwarded-For", "192.0.2.1")])
    assert b"\r\nX-Forwarded-For: 192.0.2.1\r\n" in target.head("GET", "/")
    assert target.post("/a", b"{}").endswith(b"\r\nContent-Length: 2\r\n\r\n{}")


def test_an_unused_amount_is_not_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pace keeps its rate, and does not allow a burst after a pause."""
    now, slept = [100.0], [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds
        slept[0] += seconds

    fake = SimpleNamespace(monotonic=lambda: now[0], sleep=sleep)
    monkeypatch.setattr("tests.faults.attacks.target.time", fake)
    pace = Pace(10)
    for _ in range(20):
        pace.spend()
    assert slept[0] == pytest.approx(2)
    now[0] += 50
    slept[0] = 0
    for _ in range(20):
        pace.spend()
    assert 1.5 < slept[0] < 2.1
