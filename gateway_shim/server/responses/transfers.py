"""The memory budget of request bodies that are being received, and of answers that are being sent.

A transfer counts the bytes that it holds in memory. All transfers of one kind share a budget. When
the budget is used up, one transfer that waits for its client is ended to make room: the oldest
transfer of the client address that holds the most bytes. An address that fills the budget
therefore ends its own transfers only. A transfer that does not wait for its client, such as a
complete body that a view is processing, is never ended.

Everything here runs in the hub's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import gevent

from gateway_shim.errors import TransferEnded

__all__ = ["Transfer", "TransferLimits", "Transfers"]


@dataclass(frozen=True, slots=True)
class TransferLimits:
    """The limits of bodies and answers.

    Args:
        max_body_bytes: the maximum size of a request's body; an application may allow less.
        max_bodies_bytes: the bytes that all bodies together may hold.
        answer_seconds: the time that an answer may wait for its client, in addition to the time
            for its bytes.
        max_answers_bytes: the bytes that all waiting answers together may hold.
    """

    max_body_bytes: int = 1024 * 1024
    max_bodies_bytes: int = 32 * 1024 * 1024
    answer_seconds: float = 30.0
    max_answers_bytes: int = 64 * 1024 * 1024


class Transfers:
    """The transfers of one kind. Call :meth:`begin` for each transfer.

    Args:
        limit: the bytes that all transfers together may hold.
        free: the bytes of each transfer that do not count, so that small transfers always fit.
        limit_key: maps a client's address to the key under which limits count it.

    Attributes:
        held: the bytes that currently count.
    """

    def __init__(
        self, limit: int, free: int, limit_key: Callable[[str], str] = lambda address: address
    ) -> None:
        self.limit = limit
        self.limit_key = limit_key
        self.free = free
        self.held = 0
        # The transfers of each owner. A dictionary keeps its order: the first entry is the oldest.
        self._of_owner: dict[str, dict[Transfer, None]] = {}
        # The bytes that each owner's transfers hold.
        self._held_by: dict[str, int] = {}

    def begin(self, address: str) -> Transfer:
        """Begin a transfer. Use the result as a context manager.

        Args:
            address: the address of the client.
        """
        return Transfer(self, address)

    def _add(self, transfer: Transfer, size: int) -> None:
        owner = transfer.owner
        self.held += size
        self._held_by[owner] = self._held_by.get(owner, 0) + size
        if transfer.counted + size == 0:
            self._of_owner[owner].pop(transfer)
            if not self._of_owner[owner]:
                del self._of_owner[owner], self._held_by[owner]
        else:
            self._of_owner.setdefault(owner, {}).setdefault(transfer)

    def _make_room(self, requester: Transfer, size: int) -> bool:
        """End transfers until there is room; return False if ``requester`` would be the next."""
        while self.held + size > self.limit:
            held_by = dict(self._held_by)
            held_by[requester.owner] = held_by.get(requester.owner, 0) + size
            largest = max(held_by, key=held_by.__getitem__)
            waiting = (t for t in self._of_owner.get(largest, ()) if t.waits or t is requester)
            first = next(waiting, requester)
            if first is requester:
                return False
            first.end_early()
        return True


class Transfer:
    """One body or one answer.

    Attributes:
        owner: the key under which limits count the client; set when the first bytes count.
        counted: the bytes that count against the budget.
        made_room: whether the transfer was ended to make room for others.
    """

    __slots__ = ("_address", "_transfers", "_waiting", "counted", "made_room", "owner")

    def __init__(self, transfers: Transfers, address: str) -> None:
        self._address = address
        self.owner = ""
        self.counted = 0
        self.made_room = False
        self._transfers = transfers
        # The greenlet that waits for the client, and its timer; None while none waits.
        self._waiting: tuple[Any, Any] | None = None

    def __enter__(self) -> Self:
        """Begin without any bytes."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release all bytes."""
        self._count(0)

    @property
    def waits(self) -> bool:
        """True while the transfer waits for its client and may be ended."""
        return self._waiting is not None

    def hold(self, size: int) -> None:
        """Set the number of bytes that the transfer holds in memory.

        Args:
            size: all bytes of the transfer, not only the new ones.

        Raises:
            TransferEnded: there is no room for the bytes.
        """
        # A huge transfer counts as half of the budget: its bytes are in memory already, and it
        # must be possible while other transfers hold bytes.
        counted = min(max(0, size - self._transfers.free), self._transfers.limit // 2)
        more = counted - self.counted
        if more > 0 and not self.counted:
            self.owner = self._transfers.limit_key(self._address)
        if self.made_room or (more > 0 and not self._transfers._make_room(self, more)):
            self.made_room = True
            raise TransferEnded(made_room=True)
        self._count(counted)

    @contextmanager
    def waiting(self, seconds: float) -> Iterator[None]:
        """Limit the time of a block that waits for the client, and allow others to end it.

        Raises:
            TransferEnded: the time is over, or other transfers needed the room.
        """
        timer = gevent.Timeout.start_new(seconds)
        self._waiting = (gevent.getcurrent(), timer)
        try:
            yield
        except gevent.Timeout as exc:
            if exc is not timer:
                raise
            raise TransferEnded(self.made_room) from None
        finally:
            self._waiting = None
            timer.close()
            # The timer's traceback refers to this frame. The reference cycle would keep megabytes
            # of an answer until the garbage collector runs.
            del timer

    def end_early(self) -> None:
        """End a waiting transfer: its block raises in the next round of the event loop."""
        self.made_room = True
        self._count(0)
        # Thrown by the hub, and only inside the block, in the same way as the timer is.
        gevent.get_hub().loop.run_callback(self._throw)

    def _throw(self) -> None:
        if self._waiting is not None:
            greenlet, timer = self._waiting
            greenlet.throw(timer)

    def _count(self, counted: int) -> None:
        if counted != self.counted:
            self._transfers._add(self, counted - self.counted)
            self.counted = counted
