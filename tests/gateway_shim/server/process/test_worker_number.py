"""Tests of the number of a worker; tests/live/processes/test_workers.py has real workers."""

from __future__ import annotations

from gateway_shim.server.process.worker_number import set_worker_number, worker_number


def test_the_number() -> None:
    """A process that no arbiter has forked is number 1; a worker has the number that it was set."""
    assert worker_number() == 1
    set_worker_number(3)
    try:
        assert worker_number() == 3
    finally:
        set_worker_number(1)
