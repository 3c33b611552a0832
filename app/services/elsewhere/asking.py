"""Asks the other processes of the server, and notes whether all of them have answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from gateway_shim.streams.peers.peers import Peers

__all__ = ["Answers", "ask_others"]


class Answers(NamedTuple):
    """The answers of the other processes.

    Args:
        data: the answers, without those of processes that had nothing to say.
        are_complete: False if a process that runs has given no answer in time.
    """

    data: list[Any]
    are_complete: bool


def ask_others(
    peers: Peers,
    kind: str,
    data: Any,
    *,
    to: str | None = None,
    ends: Callable[[Any], bool] | None = None,
) -> Answers:
    """Ask the other processes, whose handlers must always answer with something.

    Waits cooperatively for the answers, for a bounded time.

    Args:
        peers: the other processes.
        kind: the kind of the question.
        data: JSON data for the handlers.
        to: the name of the one process to ask; None: all others.
        ends: gets each answer once, and returns True if no further one is needed. The answers are
            then not complete.
    """
    asked = set(peers.others()) if to is None else {to}
    answers = peers.ask(kind, data, to=to, ends=ends)
    # A process that has ended meanwhile has nothing to say any more.
    silent = asked.intersection(peers.others()).difference(answer.process for answer in answers)
    return Answers([answer.data for answer in answers], not silent)
