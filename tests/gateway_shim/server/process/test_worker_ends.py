"""Tests of pauses and log lines; tests/gateway_shim/server/test_arbiter_workers.py has more."""

from __future__ import annotations

import logging
import signal

import pytest

from gateway_shim.server.process.worker_ends import CrashPauses, log_end


def test_pauses() -> None:
    """There is no pause after the first crash; each later pause is doubled, up to 30 s."""
    pauses, now, waits = CrashPauses(), 100.0, []
    for _ in range(8):
        pauses.note(now, lived=0.0)
        wait = next(seconds for seconds in range(60) if pauses.may_start(now + seconds))
        waits.append(wait)
        now += wait
    assert waits == [0, 1, 2, 4, 8, 16, 30, 30]


def test_a_worker_that_was_steady() -> None:
    """A worker that has lived for a minute, or a reload, resets the count of crashes."""
    pauses = CrashPauses()
    pauses.note(0.0, lived=0.0)
    pauses.note(0.0, lived=0.0)
    assert not pauses.may_start(0.0)
    pauses.forget()
    assert pauses.may_start(0.0)
    pauses.note(100.0, lived=0.0)
    pauses.note(200.0, lived=60.0)
    assert pauses.may_start(200.0)


@pytest.mark.parametrize(
    ("code", "level"),
    [
        (0, None),
        (1, logging.ERROR),
        (-signal.SIGKILL, logging.ERROR),
        (-signal.SIGTERM, logging.INFO),
        (-signal.SIGSEGV, logging.WARNING),
    ],
)
def test_log(code: int, level: int | None, caplog: pytest.LogCaptureFixture) -> None:
    """The level of the log line depends on how the worker ended."""
    caplog.set_level(logging.DEBUG)
    log_end(7, code)
    assert [record.levelno for record in caplog.records] == ([] if level is None else [level])
