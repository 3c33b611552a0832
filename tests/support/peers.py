"""Processes that share a log, without a log: for tests of what they tell and ask each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import gevent

from gateway_shim.event_log.log import Log
from gateway_shim.streams.peers.peers import Answer, Peers

__all__ = ["FakePeers", "PeerGroup"]


class _Note(NamedTuple):
    """A note in the group's log."""

    sender: str
    kind: str
    data: str


class PeerGroup:
    """Some processes. Each is told and asked at once, in the caller's greenlet.

    Attributes:
        is_paused: True while notes are only kept, in their order; call :meth:`FakePeers.read`.
        silent: the names of the processes that run, and answer no question.
    """

    def __init__(self) -> None:
        self.members: list[FakePeers] = []
        self.notes: list[_Note] = []
        self.is_paused = False
        self.silent: set[str] = set()

    def join(self, name: str = "") -> FakePeers:
        """Add a process."""
        peers = FakePeers(self, name or f"p{len(self.members) + 1}")
        self.members.append(peers)
        return peers


class FakePeers(Peers):
    """One process of a group.

    Attributes:
        told: the notes of this process: kind and data.
        asked: the kinds of the questions of this process.
        is_failing: whether the log takes no note.
    """

    def __init__(self, group: PeerGroup, name: str) -> None:
        super().__init__()
        self._group = group
        self._name = name
        self._notes: dict[str, Callable[[str, Any], None]] = {}
        self._own_kinds: set[str] = set()  # the kinds whose handlers get this process's notes, too
        self._questions: dict[str, Callable[[Any], Any]] = {}
        self._when_joined: list[Callable[[], None]] = []
        self._read = len(group.notes)
        self.told: list[tuple[str, Any]] = []
        self.asked: list[str] = []
        self.waits = 0  # how many questions have waited for a process that is silent
        self.is_failing = False

    @property
    def process(self) -> str:
        """The name of this process."""
        return self._name

    @property
    def are_there(self) -> bool:
        """True if the group has another process."""
        return len(self._group.members) > 1

    def others(self) -> list[str]:
        """Return the names of the other processes."""
        return [other.process for other in self._others()]

    def when_told(
        self, kind: str, handler: Callable[[str, Any], None], *, own: bool = False
    ) -> None:
        """Set the handler of a kind of notes."""
        self._notes[kind] = handler
        if own:
            self._own_kinds.add(kind)

    def when_asked(self, kind: str, handler: Callable[[Any], Any]) -> None:
        """Set the handler of a kind of questions."""
        self._questions[kind] = handler

    def when_joined(self, handler: Callable[[], None]) -> None:
        """Add a function that :meth:`start` calls."""
        self._when_joined.append(handler)

    def start(self) -> None:
        """Call what waits for the start."""
        for handler in self._when_joined:
            handler()

    def follow(
        self, log: Log, append: Callable[[bytes], object]
    ) -> list[gevent.Greenlet[..., None]]:
        """Start, as a gateway does it."""
        self.start()
        return []

    def leave(self) -> None:
        """End this process."""
        self._group.members.remove(self)

    def read(self, count: int | None = None) -> None:
        """Handle the notes that this process has not handled, or so many of them."""
        notes = self._group.notes[self._read :][:count]
        for sender, kind, data in notes:
            self._read += 1
            if kind in self._notes and (sender != self._name or kind in self._own_kinds):
                self._notes[kind](sender, json.loads(data))

    def tell(self, kind: str, data: Any, *, always: bool = False) -> bool:
        """Add a note to the log of the group."""
        self.told.append((kind, data))
        if self.is_failing:
            return False
        has_left = self not in self._group.members
        if has_left or not (always or self.are_there):
            return True
        self._group.notes.append(_Note(self._name, kind, json.dumps(data)))
        if not self._group.is_paused:
            for member in list(self._group.members):
                member.read()
        return True

    def tell_soon(self, kind: str, data: Any, failed: Callable[[], object]) -> None:
        """Tell at once."""
        if not self.tell(kind, data):
            failed()

    def ask(
        self,
        kind: str,
        data: Any = None,
        *,
        to: str | None = None,
        seconds: float = 2.0,
        ends: Callable[[Any], bool] | None = None,
    ) -> list[Answer]:
        """Call the handlers of the other processes."""
        self.asked.append(kind)
        answers = []
        is_silent = is_over = False
        for other in self._others():
            if other.process in self._group.silent:
                is_silent |= to in (None, other._name)
                continue
            if kind in other._questions and to in (None, other._name):
                answer = other._questions[kind](json.loads(json.dumps(data)))
                if answer is not None:
                    answers.append(Answer(other._name, json.loads(json.dumps(answer))))
                    is_over |= ends is not None and ends(answers[-1].data)
        self.waits += is_silent and not is_over
        return answers

    def _others(self) -> list[FakePeers]:
        return [member for member in self._group.members if member is not self]
