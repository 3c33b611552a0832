"""The answers of this process to the questions of others."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.parcels import Parcels
from gateway_shim.streams.peers.note import Note
from gateway_shim.streams.peers.stats import PeerStats

__all__ = ["INLINE_BYTES", "MAX_RUNNING", "MAX_WAITING", "Answering", "pack", "unpack"]

logger = logging.getLogger(__name__)

INLINE_BYTES = 4096
"""The size of the largest answer that is an entry of the log. A larger one is a parcel."""

MAX_RUNNING = 32
"""The questions that are being answered at the same time."""

MAX_WAITING = 1000
"""The questions that wait for that. Further ones are dropped and counted."""


class Answering:
    """The handlers of questions, and the greenlets that they run in.

    Args:
        reply: sends an answer to a question; None: this process has nothing to say.
        stats: counts dropped questions.
    """

    def __init__(self, reply: Callable[[Note, Any], None], stats: PeerStats) -> None:
        self._reply = reply
        self._stats = stats
        self._handlers: dict[str, Callable[[Any], Any]] = {}
        self._waiting: deque[Note] = deque()
        self._running: set[gevent.Greenlet[..., None]] = set()

    def add(self, kind: str, handler: Callable[[Any], Any]) -> None:
        """Set the handler of a kind."""
        self._handlers[kind] = handler

    def answer(self, question: Note) -> None:
        """Answer a question in a greenlet of its own, now or once there is one. Does not wait."""
        if len(self._running) < MAX_RUNNING:
            greenlet = gevent.spawn(self._run, question)
            self._running.add(greenlet)
            greenlet.link(self._running.discard)
        elif len(self._waiting) < MAX_WAITING:
            self._waiting.append(question)
        else:
            self._stats.dropped += 1

    def close(self) -> None:
        """Stop answering. Other greenlets run meanwhile."""
        self._waiting.clear()
        gevent.killall(list(self._running))

    def _run(self, question: Note) -> None:
        while True:
            try:
                self._reply(question, self._answer_of(question))
            except Exception:
                logger.exception("an answer to another process was not sent")
            if not self._waiting:
                return
            question = self._waiting.popleft()

    def _answer_of(self, question: Note) -> Any:
        # A process of another version may ask what this one does not know. It must not wait.
        handler = self._handlers.get(question.kind)
        if handler is None:
            return None
        try:
            return handler(question.data)
        except Exception:
            logger.exception(
                "a question of another process was not answered",
                extra={"kind": question.kind, "sender": question.sender},
            )
            return None


def pack(answer: Any, parcels: Parcels) -> list[Any] | str | None:
    """Return an answer as the data of a note: in a list, or as the name of a parcel.

    Args:
        answer: JSON data; None: there is nothing to say.
        parcels: takes a large answer.
    """
    if answer is None:
        return None
    try:
        text = json.dumps(answer, separators=(",", ":"))
        return [answer] if len(text) <= INLINE_BYTES else parcels.put(text.encode())
    except LogUnavailable as exc:
        logger.error("an answer is too large for the log", extra={"reason": str(exc)})
    except (TypeError, ValueError, RecursionError):
        logger.exception("an answer is not JSON data")
    return None


def unpack(data: Any, parcels: Parcels) -> Any:
    """Return the answer in the data of a note; None: nothing, or the parcel is gone."""
    if isinstance(data, list) and len(data) == 1:
        return data[0]
    if not isinstance(data, str):
        return None
    text = parcels.take(data)
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None
