"""The questions that this process has asked, and whose answers are still missing."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any

from gevent.event import Event as Signal

from gateway_shim.streams.peers.note import Note
from gateway_shim.streams.peers.stats import PeerStats

__all__ = ["SILENT_SECONDS", "Asking", "OpenQuestion"]

SILENT_SECONDS = 0.25
"""The wait for a process that did not answer the last question, and was not heard of since. Such a
process is stopped, or its event loop is blocked."""

_PATIENCE_SECONDS = 1.0
"""A process that has let a shorter time limit pass is not yet called silent."""

_LOOK_SECONDS = 0.02
"""The time between two looks at which processes still run."""


class OpenQuestion:
    """A question whose answers are missing.

    Args:
        name: the name of the question.
        missing: the names of the processes that have not answered yet.
        unpack: returns the answer in the data of a note; None: there is none.
        ends: gets each answer once, and returns True if no further one is needed.

    Attributes:
        answers: the data of the answers that have arrived, by process.
        may_be_lost: True if answers may have arrived unseen.
    """

    def __init__(
        self,
        name: str,
        missing: Iterable[str],
        unpack: Callable[[Any], Any],
        ends: Callable[[Any], bool] | None,
    ) -> None:
        self.name = name
        self.missing = set(missing)
        self._unpack = unpack
        self._ends = ends
        self._unpacked: dict[str, Any] = {}
        self._is_enough = False
        self.answers: dict[str, Any] = {}
        self.may_be_lost = False
        self.changed = Signal()

    def has_enough(self) -> bool:
        """Return True if no further answer is needed. May read files."""
        if self._ends is not None:
            self.read()
        return self._is_enough

    def read(self) -> dict[str, Any]:
        """Return the answers that have arrived, unpacked, by process. May read files."""
        for process, data in list(self.answers.items()):
            if process not in self._unpacked:
                answer = self._unpacked[process] = self._unpack(data)
                if self._ends is not None and answer is not None and self._ends(answer):
                    self._is_enough = True
        return self._unpacked


class Asking:
    """The questions of this process.

    A question that an epoch's end has lost is not asked again: it ends at its time limit.

    Args:
        stats: counts processes that do not answer.
        clock: monotonic seconds.
    """

    def __init__(self, stats: PeerStats, clock: Callable[[], float] = time.monotonic) -> None:
        self._stats = stats
        self._clock = clock
        self._open: dict[str, OpenQuestion] = {}
        # The processes that did not answer the last question, and were not heard of since.
        self._silent: set[str] = set()

    def begin(
        self,
        processes: Iterable[str],
        unpack: Callable[[Any], Any] = lambda data: data,
        ends: Callable[[Any], bool] | None = None,
    ) -> OpenQuestion:
        """Begin a question, which must be sent next. End it with :meth:`end`.

        Args:
            processes: the names of the processes that are asked.
            unpack: as for :class:`OpenQuestion`.
            ends: as for :class:`OpenQuestion`; None: all answers are needed.
        """
        question = OpenQuestion(secrets.token_hex(8), processes, unpack, ends)
        self._open[question.name] = question
        return question

    def end(self, question: OpenQuestion) -> None:
        """Forget a question. Answers that arrive later are ignored."""
        self._open.pop(question.name, None)

    def heard_of(self, process: str) -> None:
        """Note that a process runs: it has written something."""
        self._silent.discard(process)

    def answered(self, note: Note) -> None:
        """Note an answer. Answers to questions that have ended are ignored."""
        question = self._open.get(note.question)
        if question is not None and note.sender in question.missing:
            question.missing.discard(note.sender)
            question.answers[note.sender] = note.data
            question.changed.set()

    def may_be_lost(self) -> None:
        """Note that answers may have arrived unseen, so that nobody is called silent for them."""
        for question in self._open.values():
            question.may_be_lost = True

    def wait(self, question: OpenQuestion, seconds: float, others: Callable[[], list[str]]) -> None:
        """Wait for enough answers, until all processes have answered or have ended, or the limit.

        Args:
            question: the question, which was sent.
            seconds: the time limit.
            others: returns the names of the processes that run.
        """
        begun, ended = self._clock(), set[str]()
        while True:
            running = others()
            # At the second look: the last answer of one that ends may not have been read yet.
            question.missing -= ended.difference(running)
            ended = question.missing.difference(running)
            self._silent.intersection_update(running)
            if not question.missing or question.has_enough():
                return
            limit = seconds
            if question.missing <= self._silent:
                limit = min(seconds, SILENT_SECONDS)
            rest = begun + limit - self._clock()
            if rest <= 0:
                break
            question.changed.wait(min(rest, _LOOK_SECONDS))
            question.changed.clear()
        self._stats.silent += len(question.missing)
        if seconds >= _PATIENCE_SECONDS and not question.may_be_lost:
            self._silent |= question.missing

    def give_up(self) -> None:
        """Let all questions end now: this process leaves the log."""
        for question in self._open.values():
            question.missing.clear()
            question.changed.set()
