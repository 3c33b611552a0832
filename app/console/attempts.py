"""Limits how often an address may try wrong passwords."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from gateway_shim.streams.peers.peers import Peers

__all__ = ["MAX_ADDRESSES", "MAX_WRONG", "WINDOW_SECONDS", "Attempts"]

MAX_WRONG = 10
"""The number of wrong passwords that one address may try in :data:`WINDOW_SECONDS`."""

WINDOW_SECONDS = 60.0

MAX_ADDRESSES = 1000
"""The number of addresses that are remembered. The one that failed longest ago is forgotten."""

_NOTE = "console_wrong_password"


class Attempts:
    """The wrong passwords of the last minute.

    Args:
        clock: returns a time in seconds that never goes back.
        peers: the other processes, which count the wrong passwords of this one, too; None: there
            are none. Otherwise each process more would be so many guesses more.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, peers: Peers | None = None
    ) -> None:
        self._clock = clock
        self._peers = peers
        if peers is not None:
            peers.when_told(_NOTE, self._note_told)
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def seconds_to_wait(self, address: str) -> float:
        """Return the time after which an address may try again, in seconds; 0 if it may now.

        Args:
            address: the client's address, or the network that counts as one client.
        """
        times = self._times.get(address)
        if times is None or len(times) < MAX_WRONG:
            return 0.0
        return max(0.0, times[0] + WINDOW_SECONDS - self._clock())

    def note_wrong(self, address: str) -> None:
        """Count a wrong password.

        Args:
            address: as for :meth:`seconds_to_wait`.
        """
        self._note(address)
        if self._peers is not None:
            self._peers.tell(_NOTE, address)

    def _note_told(self, _: str, address: Any) -> None:
        if isinstance(address, str):
            self._note(address)

    def _note(self, address: str) -> None:
        times = self._times.setdefault(address, deque(maxlen=MAX_WRONG))
        times.append(self._clock())
        self._times.move_to_end(address)
        if len(self._times) > MAX_ADDRESSES:
            self._times.popitem(last=False)
