"""Bodies that are being received, and answers that are being sent: what they may hold together.

A transfer counts the bytes that it holds in memory. All transfers of a kind share a budget. When
the budget is used up, a transfer that waits for its client is ended, so that the next one has
room: of the client address that holds the most, the transfer that began first. One address that
fills the budget so ends its own transfers, not those of others. A transfer that nobody waits for,
such as a whole body that a view works on, is never ended.

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
    """What bodies and answers may cost.

    Args:
        max_body_bytes: the largest body of a request; an application may allow less.
        max_bodies_bytes: what all bodies may hold together.
        answer_seconds: how long a client may keep an answer waiting, beside the time for its bytes.
        max_answers_bytes: what all answers that wait for their clients may hold together.
    """

    max_body_bytes: int = 1024 * 1024
    max_bodies_bytes: int = 32 * 1024 * 1024
    answer_seconds: float = 30.0
    max_answers_bytes: int = 64 * 1024 * 1024


class Transfers:
    """The transfers of one kind. Call :meth:`begin` for each.

    Args:
        limit: bytes that all of them may hold together.
        free: bytes of each transfer that do not count, so that small ones always have room.
        limit_key: returns what a client's address is counted as.

    Attributes:
        held: bytes that count now.
    """

    def __init__(
        self, limit: int, free: int, limit_key: Callable[[str], str] = lambda address: address
    ) -> None:
        self.limit = limit
        self.limit_key = limit_key
        self.free = free
        self.held = 0
        # A dictionary keeps its order: the transfer that began first is the first.
        self._of_owner: dict[str, dict[Transfer, None]] = {}
        self._held_by: dict[str, int] = {}

    def begin(self, address: str) -> Transfer:
        """Begin a transfer; use the result as a context manager.

        Args:
            address: the client's.
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

    def _make_room(self, asking: Transfer, size: int) -> bool:
        """End transfers until there is room; False if the asking one is the next to end."""
        while self.held + size > self.limit:
            held_by = dict(self._held_by)
            held_by[asking.owner] = held_by.get(asking.owner, 0) + size
            largest = max(held_by, key=held_by.__getitem__)
            waiting = (t for t in self._of_owner.get(largest, ()) if t.waits or t is asking)
            first = next(waiting, asking)
            if first is asking:
                return False
            first.end_early()
        return True


class Transfer:
    """One body or one answer.

    Attributes:
        owner: what its client's address is counted as, once any bytes count.
        counted: bytes that count against the budget.
        made_room: whether it was ended for others.
    """

    __slots__ = ("_address", "_transfers", "_waiting", "counted", "made_room", "owner")

    def __init__(self, transfers: Transfers, address: str) -> None:
        self._address = address
        self.owner = ""
        self.counted = 0
        self.made_room = False
        self._transfers = transfers
        self._waiting: tuple[Any, Any] | None = None

    def __enter__(self) -> Self:
        """Hold nothing yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give back everything."""
        self._count(0)

    @property
    def waits(self) -> bool:
        """Whether it waits for its client, so that it may be ended."""
        return self._waiting is not None

    def hold(self, size: int) -> None:
        """Say how many bytes are held now.

        Args:
            size: all of the transfer's bytes in memory.

        Raises:
            TransferEnded: there is no room for them.
        """
        # A huge one counts half the budget: its bytes are there already, and it must not need
        # that nobody else holds anything.
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
        """Limit the time of a block that waits for the client; it may be ended for others.

        Raises:
            TransferEnded: the time is over, or others needed the room.
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
            # The timer's traceback holds this frame: a circle, which would keep megabytes of an
            # answer until the garbage collector comes by.
            del timer

    def end_early(self) -> None:
        """End a transfer that waits: its block raises as soon as the event loop gets to it."""
        self.made_room = True
        self._count(0)
        # Thrown by the hub, and only while the block lasts, as the timer itself does it.
        gevent.get_hub().loop.run_callback(self._throw)

    def _throw(self) -> None:
        if self._waiting is not None:
            greenlet, timer = self._waiting
            greenlet.throw(timer)

    def _count(self, counted: int) -> None:
        if counted != self.counted:
            self._transfers._add(self, counted - self.counted)
            self.counted = counted
