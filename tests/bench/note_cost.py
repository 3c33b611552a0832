"""The cost of telling other processes of connects: ``python -m tests.bench.note_cost``.

While a server has other processes beside it, each connect is told to all of them, and the connects
of 5 ms are one note. The script times what that costs for each connect, for notes of 1 to 100
connects: to write the note, and to read and handle an own one, and one of another process. The
append to the log, and the wake-up of the other process, come on top, once for each note.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import gevent

from app.services.connections.registry import StreamRegistry
from app.services.connections.send_outcome import SendOutcome, SendReport
from app.services.elsewhere.streams import CONNECT, StreamsElsewhere
from gateway_shim.streams.peers.note import Note, Role
from tests.gateway_shim.streams.peers.wire import Wire

_CONNECTS = 100_000
_OWN, _OTHER = "p-1", "p-2"


def _note(sender: str, count: int) -> Note:
    """Return a note of a number of connects."""
    connects = [
        (
            CONNECT,
            {
                "request_id": f"5d1f2c9e-8a37-4e0b-9c64-{number:012x}",
                "token": f"{number:032x}",
                "user": None,
            },
        )
        for number in range(count)
    ]
    if count == 1:
        return Note(sender, Role.TOLD, *connects[0])
    return Note(sender, Role.TOLD_TOGETHER, "", connects)


def _microseconds(work: Callable[[], object], count: int) -> float:
    """Return the CPU time of some work for each of its connects."""
    rounds = _CONNECTS // count
    started = time.process_time()
    for _ in range(rounds):
        work()
    return (time.process_time() - started) / rounds / count * 1e6


def _send(*_: object) -> SendReport:
    return SendReport(SendOutcome.NO_STREAM)


def _main() -> None:
    wire = Wire()
    process, _ = wire.join(name=_OWN), wire.join(name=_OTHER)
    elsewhere = StreamsElsewhere(
        process.peers, StreamRegistry(lambda _: True), lambda *_: None, _send
    )
    handled = 0

    def connected(sender: str, note: Any) -> None:
        nonlocal handled
        elsewhere._connected(sender, note)
        handled += 1

    process.peers.when_told(CONNECT, connected, own=True)
    process.start()

    def read(data: bytes, count: int) -> None:
        before = handled
        process.peers.noted(data)
        while handled < before + count:
            gevent.sleep(0)  # the greenlet of the handlers

    print("connects in a note   bytes each   µs each: to write   to read an own one   another's")
    for count in (1, 10, 25, 100):
        note = _note(_OTHER, count)
        others, own = note.encode(), _note(_OWN, count).encode()
        figures = (
            _microseconds(note.encode, count),
            _microseconds(partial(read, own, count), count),
            _microseconds(partial(read, others, count), count),
        )
        written, own_read, others_read = (f"{figure:.1f}" for figure in figures)
        size = f"{len(others) / count:.0f}"
        print(f"{count:18}{size:>13}{written:>20}{own_read:>21}{others_read:>12}")


if __name__ == "__main__":
    _main()
