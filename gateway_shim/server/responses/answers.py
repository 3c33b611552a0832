"""Sends answers: each answer is limited in time, all answers together are limited in memory.

gunicorn writes an answer with ``sendall`` in the handler's greenlet. A client that does not read
could occupy the handler and the memory of the answer forever. Therefore gunicorn gets an
:class:`AnswerSocket` instead of the socket. Its writes end after a time that grows with the size
of the answer, or when other answers need the memory. Only the time in which a write waits counts:
an application may stream for days.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from gateway_shim.errors import TransferEnded
from gateway_shim.event_loop.tcp import limit_unsent
from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.server.responses.transfers import Transfer, TransferLimits, Transfers
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason

__all__ = ["AnswerSocket", "Answers", "SlowReader"]

logger = logging.getLogger(__name__)

SMALL_ANSWER_BYTES = 16 * 1024
"""The part of each answer that does not count against the budget for all answers, bytes."""

SLOWEST_BYTES_PER_SECOND = 10_000
"""A client that reads an answer at this rate, or faster, is never cut."""

PATIENCE_SECONDS = 1.0
"""A client that has not read for this time can be cut when handlers run out, seconds."""

_PIECE_BYTES = 64 * 1024
_UNSENT_BYTES = 128 * 1024
_RESET = struct.pack("ii", 1, 0)


class SlowReader(BrokenPipeError):
    """A client was cut because it did not read its answer. gunicorn sees a client that hung up."""

    def __init__(self) -> None:
        super().__init__(errno.EPIPE, "the client was too slow")


class Answers:
    """The answers of a worker under one memory budget. Call :meth:`guard` for each answer.

    Args:
        limits: the limits of time and memory.
        refusals: counts the clients that were cut.
        limit_key: maps a client's address to the key under which limits count it.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        limits: TransferLimits,
        refusals: RefusalCounts,
        limit_key: Callable[[str], str] = lambda address: address,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.transfers = Transfers(limits.max_answers_bytes, SMALL_ANSWER_BYTES, limit_key)
        self.seconds = limits.answer_seconds
        self.clock = clock
        self._refusals = refusals
        # The time when each answer began to wait. A dictionary keeps the order, so the first entry
        # has waited longest.
        self._waiting: dict[Transfer, float] = {}

    def guard(self, sock: Any, address: str) -> Any:
        """Return a socket with limited writes for one answer.

        Args:
            sock: the client's socket.
            address: the address of the client.
        """
        return AnswerSocket(sock, self, address)

    def make_room(self) -> None:
        """End the answer that has waited longest, because its handler is needed.

        Answers that have waited less than a second are not ended: their clients are reading.
        """
        for transfer, since in self._waiting.items():
            if self.clock() - since < PATIENCE_SECONDS:
                return
            if not transfer.made_room:
                transfer.end_early()
                return

    def begin_waiting(self, transfer: Transfer) -> None:
        """Record that the write of an answer begins and may have to wait."""
        self._waiting[transfer] = self.clock()

    def end_waiting(self, transfer: Transfer) -> None:
        """Record that the write of an answer has ended."""
        self._waiting.pop(transfer, None)

    def cut(self, sock: Any, address: str, size: int, made_room: bool) -> SlowReader:
        """Count and log a slow client, and return the error to raise."""
        reason = RefusalReason.ANSWERS_LIMIT if made_room else RefusalReason.SLOW_READER
        self._refusals.add(reason)
        logger.warning(
            "slow reader cut", extra={"address": address, "bytes": size, "reason": reason.value}
        )
        # Without a reset, the kernel keeps the unread bytes for minutes: megabytes for each client.
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        return SlowReader()


class AnswerSocket:
    """A client's socket for one answer. Only the methods that write differ from the socket's.

    Args:
        sock: the client's socket.
        answers: the limits.
        address: the address of the client.
    """

    def __init__(self, sock: Any, answers: Answers, address: str) -> None:
        self._sock = sock
        self._answers = answers
        self._address = address
        # The bytes of the answer that were sent, and the seconds that the writes have taken.
        self._sent = 0
        self._waited = 0.0

    def __getattr__(self, name: str) -> Any:
        """Return any other attribute of the socket."""
        return getattr(self._sock, name)

    def sendall(self, data: Any) -> None:
        """Write everything.

        Raises:
            SlowReader: the client did not read in time, or other answers needed the memory.
            OSError: the connection is broken.
        """
        view = memoryview(data).cast("B")
        with self._answers.transfers.begin(self._address) as transfer:
            self._write(transfer, view)

    send = sendall
    """gunicorn calls ``send`` only for a few bytes, all of which must be sent."""

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Write a part of a file in pieces.

        Returns:
            The number of bytes written.

        Raises:
            SlowReader: the client did not read in time.
            OSError: the connection is broken, or the file cannot be read.
        """
        if offset:
            file.seek(offset)
        sent = 0
        while count is None or sent < count:
            piece = file.read(_PIECE_BYTES if count is None else min(_PIECE_BYTES, count - sent))
            if not piece:
                break
            self.sendall(piece)
            sent += len(piece)
        return sent

    def _write(self, transfer: Transfer, view: memoryview) -> None:
        answers = self._answers
        size = len(view)
        allowed = answers.seconds + (self._sent + size) / SLOWEST_BYTES_PER_SECOND
        started = answers.clock()
        answers.begin_waiting(transfer)
        try:
            if size > _UNSENT_BYTES:
                limit_unsent(self._sock, _UNSENT_BYTES)
            transfer.hold(size)
            # Even if no time is left: bytes that the kernel takes can be written at once.
            with transfer.waiting(max(0.0, allowed - self._waited)):
                if size <= _PIECE_BYTES:
                    self._sock.sendall(view)
                else:
                    for at in range(0, size, _PIECE_BYTES):
                        self._sock.sendall(view[at : at + _PIECE_BYTES])
                        let_others_run_if_due()
        except TransferEnded as exc:
            raise answers.cut(self._sock, self._address, size, exc.made_room) from None
        except OSError as exc:
            if exc.errno == errno.ETIMEDOUT:  # the kernel's own time limit: also a slow client
                raise answers.cut(self._sock, self._address, size, made_room=False) from None
            raise
        finally:
            answers.end_waiting(transfer)
        self._sent += size
        self._waited += answers.clock() - started
