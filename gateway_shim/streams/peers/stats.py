"""The counters of what processes tell and ask each other."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PeerStats"]


@dataclass(slots=True)
class PeerStats:
    """The counters: totals since the process was started.

    Args:
        told: the notes, questions and answers that this process has written.
        failed: those that could not be written.
        heard: the notes, questions and answers of other processes that were for this process.
        ignored: the entries that are not notes of this version of the program.
        missed: how often this process may have missed notes, so that it has loaded its state again:
            a new epoch of the log, entries that were trimmed before they were read, or handlers
            that were too slow.
        asked: the questions that this process has asked.
        silent: how often a process did not answer a question in time.
        dropped: the questions of others that were not answered: too many were waiting.
    """

    told: int = 0
    failed: int = 0
    heard: int = 0
    ignored: int = 0
    missed: int = 0
    asked: int = 0
    silent: int = 0
    dropped: int = 0
