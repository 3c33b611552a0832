"""The other processes of the server: tells them what happens here, and asks them.

Theory of operation
===================

Notes, questions and answers are entries of the log that are for processes (``NOTES``). So all
processes get them in one order, and the same code serves the workers of one machine and the servers
that share an engine. A process that is alone writes none.

The delivery of events hands over each such entry (:meth:`Peers.noted`). This only decides where it
goes, so that no stream waits:

- A note, or a question, goes to the inbox. One greenlet takes notes from there, and calls their
  handlers one after the other. A question gets a greenlet of its own there. So it is answered after
  all notes that come before it in the log were handled.
- An answer goes to whoever has asked. So a handler of notes may ask, but questions to this process
  wait meanwhile.

A process that joins reads all entries from then on, and only then do the others know it. So what
it is not told was true before it called its handlers of ``when_joined``, which load the state. They
are called again whenever notes may have been missed: after a new epoch of the log, after entries
that were trimmed before this process has read them, and if the handlers of notes are too slow.

What may never happen:

- A note raises an exception in the delivery, or makes it wait.
- A process that has ended is waited for. One that is stopped costs its first asker the time limit,
  and later ones :data:`~gateway_shim.streams.peers.asking.SILENT_SECONDS`.
- A large answer pushes events out of the log: it is a file beside the log
  (:mod:`gateway_shim.event_log.parcels`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import gevent

from gateway_shim.event_log.log import Log
from gateway_shim.streams.peers.answering import Answering, pack, unpack
from gateway_shim.streams.peers.asking import Asking
from gateway_shim.streams.peers.inbox import Inbox
from gateway_shim.streams.peers.joining import Joining
from gateway_shim.streams.peers.note import Note, Role
from gateway_shim.streams.peers.stats import PeerStats
from gateway_shim.streams.peers.writing import MAX_NOTE_BYTES, Writing
from gateway_shim.streams.replay.endless import repeat

__all__ = ["ASK_SECONDS", "MAX_NOTE_BYTES", "Answer", "Peers"]

logger = logging.getLogger(__name__)

ASK_SECONDS = 2.0
"""The longest wait for the answers of other processes."""


class Answer(NamedTuple):
    """The answer of another process.

    Args:
        process: the name of the process.
        data: JSON data, as its handler has returned it.
    """

    process: str
    data: Any


class Peers:
    """The other processes that share this gateway's log. Call it in the hub's thread only.

    Register the handlers before the gateway starts. Without a log, and in a process that is alone,
    nothing is told, and a question has no answers.

    Attributes:
        stats: the counters.
    """

    def __init__(self) -> None:
        self.stats = PeerStats()
        self._log: Log | None = None
        self._names: set[str] = set()  # with those before its files were removed
        self._own = b""
        self._handlers: dict[str, Callable[[str, Any], None]] = {}
        self._own_kinds: set[str] = set()  # the kinds whose handlers get own notes, too
        self._inbox = Inbox(self._handle, self.notes_missed)
        self._answering = Answering(self._reply, self.stats)
        self._asking = Asking(self.stats)
        self._joining = Joining()
        self._was_alone = False
        self._writing = Writing(self.stats, self._name)

    @property
    def process(self) -> str:
        """The name of this process; empty before the start, and without a log."""
        return "" if self._log is None else self._log.process

    @property
    def are_there(self) -> bool:
        """True if another process shares the log now. Takes less than a microsecond."""
        log = self._log
        return log is not None and bool(log.others())

    def others(self) -> list[str]:
        """Return the names of the other processes that share the log now. Cheap; never blocks."""
        return [] if self._log is None else self._log.others()

    def when_told(
        self, kind: str, handler: Callable[[str, Any], None], *, own: bool = False
    ) -> None:
        """Set the function that gets the notes of a kind, in the order of the log.

        Args:
            kind: the kind of the notes.
            handler: gets the name of the sender, and the data. It runs in one greenlet with all
                other handlers of notes, so it must not wait for long. An exception is logged.
            own: whether it also gets the notes of this process, in one order with those of others.
        """
        self._handlers[kind] = handler
        if own:
            self._own_kinds.add(kind)

    def when_asked(self, kind: str, handler: Callable[[Any], Any]) -> None:
        """Set the function that answers the questions of a kind.

        Args:
            kind: the kind of the questions.
            handler: gets the data, and returns the answer, JSON data of any size; None: this
                process has nothing to say, and the question has no answer from it. It runs in its
                own greenlet, and may wait. An exception is logged, and counts as None.
        """
        self._answering.add(kind, handler)

    def when_joined(self, handler: Callable[[], None]) -> None:
        """Add a function that is called in its own greenlet once this process reads the log.

        It is called again after this process may have missed notes, but never twice at the same
        time. It loads what this process would know if it had got all notes. Notes that arrive
        while it runs go to their handlers meanwhile. An exception is logged.
        """
        self._joining.add(handler)

    def tell(self, kind: str, data: Any, *, always: bool = False) -> bool:
        """Tell all other processes; ``always``: also those that are cut off, and read it later.

        Neither waits for them nor raises; may switch greenlets.

        Returns:
            False if the note could not be written, which is logged. True also if nobody is there.
        """
        if not always and not self.are_there:
            return True
        return self._writing.write(Note(self._name(), Role.TOLD, kind, data))

    def tell_soon(self, kind: str, data: Any, failed: Callable[[], object]) -> None:
        """Tell all other processes within some milliseconds. Does not wait.

        All that is told so meanwhile is one note. The order with all other notes is kept.

        Args:
            kind: the kind of the note.
            data: JSON data, less than 600 bytes.
            failed: called if the note could not be written, which is logged.
        """
        if self.are_there:
            self._writing.add(kind, data, failed)

    def ask(
        self,
        kind: str,
        data: Any = None,
        *,
        to: str | None = None,
        seconds: float = ASK_SECONDS,
        ends: Callable[[Any], bool] | None = None,
    ) -> list[Answer]:
        """Ask the other processes, and wait for their answers.

        Returns when all processes that run have answered or have ended, or after the time limit.
        Does not raise.

        Args:
            kind: the kind of the question.
            data: JSON data for the handlers.
            to: the name of the one process to ask; None: all others. A process that has ended
                gives no answer, at once.
            seconds: the time limit.
            ends: gets the data of each answer once, and returns True if no further one is needed.

        Returns:
            The answers that are not None.
        """
        log = self._log
        others = [] if log is None else [name for name in log.others() if to in (None, name)]
        if log is None or not others:
            return []
        parcels = log.parcels
        question = self._asking.begin(others, lambda content: unpack(content, parcels), ends)
        self.stats.asked += 1
        try:
            note = Note(self._name(), Role.QUESTION, kind, data, to, question.name)
            if self._writing.write(note):
                self._asking.wait(question, seconds, log.others)
        finally:
            self._asking.end(question)
        found = question.read().items()
        return [Answer(process, answer) for process, answer in found if answer is not None]

    # ------------------------------------------------------------------ for the gateway

    def follow(
        self, log: Log, append: Callable[[bytes], object]
    ) -> list[gevent.Greenlet[..., None]]:
        """Begin to read notes, and return the greenlets that must run. Ends with :meth:`close`.

        Call it before the log's entries are delivered, and before any other greenlet runs.

        Args:
            log: the log.
            append: appends a note; raises LogUnavailable, and logs why.
        """
        self._log = log
        self._writing.begin(append)
        self._name()
        # A process of many servers may be cut off from the others now.
        self._was_alone = "@" in log.process and not log.others()
        self._joining.run()
        return [gevent.spawn(repeat, self._inbox.run)]

    def close(self) -> None:
        """End all that goes on. Call it before the log is closed. Other greenlets run meanwhile."""
        self._log = None
        self._writing.end()
        self._asking.give_up()
        self._joining.close()
        self._answering.close()

    def noted(self, data: bytes) -> None:
        """Take a note, the bytes of an entry of the log. Neither waits nor raises."""
        try:
            self._note(data)
        except Exception:  # the delivery would try the same entry again and again
            logger.exception("a note from another process was not read")

    def notes_missed(self) -> None:
        """Load the state again, because notes may have been missed. Neither waits nor raises."""
        self.stats.missed += 1
        self._asking.may_be_lost()
        self._joining.run()

    # ------------------------------------------------------------------ private

    def _note(self, data: bytes) -> None:
        if data.startswith(self._own) and not self._own_kinds:
            return
        note = Note.decode(data)
        if note is None:
            self.stats.ignored += 1
            return
        if note.sender in self._names:
            together = note.role == Role.TOLD_TOGETHER
            if together or (note.role == Role.TOLD and note.kind in self._own_kinds):
                # This process may have got another name meanwhile.
                self._inbox.put(note._replace(sender=self.process), len(data))
            return
        self._asking.heard_of(note.sender)
        if self._was_alone:
            self._was_alone = False
            self._joining.run()
        if note.to is not None and note.to not in self._names and note.to != self.process:
            return
        self.stats.heard += 1
        if note.role == Role.ANSWER:
            self._asking.answered(note)
        elif note.role != Role.TOLD or note.kind in self._handlers:
            self._inbox.put(note, len(data))

    def _name(self) -> str:
        """Return the name of this process, by which it knows its own notes."""
        name = self.process
        if name not in self._names:
            self._names.add(name)
            self._own = Note.begins(name)
        return name

    def _handle(self, note: Note) -> None:
        if note.role == Role.QUESTION:
            self._answering.answer(note)
        elif note.kind in (self._own_kinds if note.sender == self.process else self._handlers):
            self._handlers[note.kind](note.sender, note.data)

    def _reply(self, question: Note, answer: Any) -> None:
        log = self._log
        if log is None or question.sender not in log.others():
            return
        data = pack(answer, log.parcels)
        name, asker = self._name(), question.sender
        self._writing.write(Note(name, Role.ANSWER, question.kind, data, asker, question.question))
