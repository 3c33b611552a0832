"""Tests of the signals that arrive before the arbiter has its handlers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_shim.server.process.start_signals import StartSignals


@pytest.fixture(autouse=True)
def _fresh_handlers() -> Iterator[None]:
    """Set the handlers that Python starts with; restore those of the tests afterwards."""
    before = {sig: signal.getsignal(sig) for sig in (signal.SIGINT, signal.SIGHUP)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for sig, handler in before.items():
        signal.signal(sig, handler)


@pytest.fixture
def terminal(tmp_path: Path) -> Path:
    """Return a file that stands for the controlling terminal."""
    path = tmp_path / "tty"
    path.touch()
    return path


def test_interrupt(terminal: Path) -> None:
    """SIGINT ends the process without a traceback, until a command restores Python's handler."""
    start = StartSignals(str(terminal))
    start.begin()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    start.give_back_interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGHUP])
def test_handlers_of_others_stay(terminal: Path, sig: signal.Signals) -> None:
    """A signal that is ignored, as in the background of a script, stays ignored."""
    signal.signal(sig, signal.SIG_IGN)
    start = StartSignals(str(terminal))
    start.begin(remember_hangup=True)
    start.give_back_interrupt()
    assert signal.getsignal(sig) is signal.SIG_IGN


def test_a_hangup_that_ends_the_process(terminal: Path) -> None:
    """SIGHUP keeps its default unless a server asks to remember the signal."""
    StartSignals(str(terminal)).begin()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def test_a_hangup_that_is_remembered(terminal: Path) -> None:
    """A remembered SIGHUP is returned once, and a second ``begin`` does not forget the signal."""
    start = StartSignals(str(terminal))
    start.begin()
    start.begin(remember_hangup=True)
    assert start.take_hangup() is False
    os.kill(os.getpid(), signal.SIGHUP)
    start.begin(remember_hangup=True)
    assert [start.take_hangup(), start.take_hangup()] == [True, False]


def test_a_closed_terminal(terminal: Path) -> None:
    """A terminal is gone if it existed at the start and cannot be opened now."""
    start = StartSignals(str(terminal))
    start.begin()
    assert start.terminal_is_gone() is False
    terminal.unlink()
    start.look_for_terminal()
    assert start.terminal_is_gone() is True


def test_a_terminal_that_was_closed_long_ago(terminal: Path) -> None:
    """A program that outlives its terminal counts as one without: SIGHUP is a reload again."""
    start = StartSignals(str(terminal))
    start.begin()
    start.forget_old_terminal(100.0)
    terminal.unlink()
    start.forget_old_terminal(110.0)
    start.forget_old_terminal(119.0)
    assert start.terminal_is_gone() is True
    start.forget_old_terminal(120.0)
    assert start.terminal_is_gone() is False
    terminal.touch()
    terminal.unlink()
    start.forget_old_terminal(200.0)
    assert start.terminal_is_gone() is False


def test_no_terminal(terminal: Path) -> None:
    """A process without a terminal at its start loses none, even if a terminal appears later."""
    terminal.unlink()
    start = StartSignals(str(terminal))
    start.begin()
    assert start.terminal_is_gone() is False
    terminal.touch()
    terminal.unlink()
    assert start.terminal_is_gone() is False


def test_nohup(terminal: Path) -> None:
    """A process that ignores SIGHUP, as under nohup, counts as one without a terminal."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    start = StartSignals(str(terminal))
    start.begin(remember_hangup=True)
    terminal.unlink()
    assert start.terminal_is_gone() is False
