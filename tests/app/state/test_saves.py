"""SaveLine: saves are written at once if possible, in order, and wait otherwise."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from typing import Any

import gevent
import pytest

from app.state import saves
from app.state.database import StateBusy, StateError, StateUnavailable
from app.state.saves import Save, SaveLine
from tests.app.state.memory_support import log_messages
from tests.support.timing import wait_until


class Paper:
    """A place to write that can be busy or broken."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.transactions = 0
        self.problem: Exception | None = None
        self.failures: list[StateError] = []
        self.successes = 0
        self.line = SaveLine(self.write, self.succeeded, self.failures.append)

    def write(self, work: Save) -> None:
        """Run the work, or raise the present problem."""
        if self.problem is not None:
            raise self.problem
        self.transactions += 1
        work(None)  # type: ignore[arg-type]  # the saves of these tests use no connection

    def succeeded(self) -> None:
        """Count the call."""
        self.successes += 1

    def add(self, key: str, text: str | None = None, *, soon: bool = True) -> None:
        """Add a save that writes a text."""
        self.line.add(key, lambda connection: self.written.append(text or key), soon=soon)


def test_a_save_is_written_at_once() -> None:
    """At the return of the call, the save is written, in a transaction of its own."""
    paper = Paper()
    paper.add("a")
    paper.add("b")
    assert (paper.written, paper.transactions, len(paper.line)) == (["a", "b"], 2, 0)


def test_while_another_process_writes_saves_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are written later, in order and together; the last save of a thing counts."""
    paper = Paper()
    paper.problem = StateBusy("busy")
    for key, text in (("a", "a1"), ("b", "b1"), ("a", "a2")):
        paper.add(key, text)
    assert (paper.written, len(paper.line)) == ([], 2)
    paper.problem = None
    wait_until(lambda: paper.written, "the saves")
    assert (paper.written, paper.transactions) == (["b1", "a2"], 1)
    assert paper.failures == []


def test_a_save_that_is_not_urgent_waits_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written with the next urgent save, or after a while."""
    paper = Paper()
    paper.add("a", soon=False)
    assert paper.written == []
    paper.add("b")
    assert (paper.written, paper.transactions) == (["a", "b"], 1)
    monkeypatch.setattr(saves, "LAZY_SECONDS", 0.01)
    paper.add("c", soon=False)
    wait_until(lambda: "c" in paper.written, "the save")


def test_saves_that_fail_are_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each failure is reported, and nothing is lost when the disk has space again."""
    monkeypatch.setattr(saves, "FAILED_SECONDS", 0.01)
    paper = Paper()
    paper.problem = StateUnavailable("full")
    paper.add("a")
    assert (len(paper.failures), paper.successes) == (1, 0)
    paper.add("b")
    assert len(paper.failures) == 1  # a save does not try while the timer runs
    wait_until(lambda: len(paper.failures) > 1, "another try")
    paper.problem = None
    wait_until(lambda: paper.written == ["a", "b"], "the saves")
    assert paper.successes == 1


def test_a_long_line_is_written_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other greenlets run between two transactions."""
    monkeypatch.setattr(saves, "BATCH", 2)
    paper = Paper()
    for key in "abcd":
        paper.add(key, soon=False)
    paper.add("e")
    assert paper.written == ["a", "b"]
    wait_until(lambda: len(paper.written) == 5, "all saves")
    assert (paper.written, paper.transactions) == (list("abcde"), 3)


def test_the_line_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest save is dropped if too many wait."""
    monkeypatch.setattr(saves, "MOST_WAITING", 3)
    paper = Paper()
    for key in "abcde":
        paper.add(key, soon=False)
    paper.line.flush()
    assert paper.written == ["c", "d", "e"]


def test_discarded_saves_are_not_written() -> None:
    """A save that is not needed any more is dropped."""
    paper = Paper()
    for key in "abc":
        paper.add(key, soon=False)
    paper.line.discard("a", "b", "missing")
    paper.line.flush()
    assert paper.written == ["c"]


def test_a_save_that_cannot_work_does_not_stop_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A mistake is logged and not raised, and later saves are written."""
    paper = Paper()

    def mistake(connection: sqlite3.Connection) -> Any:
        raise OverflowError("too large")

    paper.line.add("a", mistake, soon=True)
    assert log_messages(caplog, logging.ERROR) == ["some tasks or versions could not be saved"]
    paper.add("b")
    assert paper.written == ["b"]


@pytest.mark.parametrize("when", ["before", "while failing"])
def test_a_closed_line_ignores_saves(when: str) -> None:
    """Neither the saves that wait nor later ones are written."""
    paper = Paper()
    close: Callable[[StateError], None] = lambda exc: paper.line.close()  # noqa: E731
    if when == "while failing":
        paper.line = SaveLine(paper.write, paper.succeeded, close)
        paper.problem = StateUnavailable("gone")
        paper.add("a")
        paper.problem = None
    else:
        paper.add("a", soon=False)
        paper.line.close()
    paper.add("b")
    paper.line.flush()
    gevent.sleep(0)
    assert (paper.written, len(paper.line)) == ([], 0)
