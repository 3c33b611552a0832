"""Runs writers of one log and kills them at random, beside a reader that lives.

Run as a program: ``python -m ... DIRECTORY SEED KILLS``. In the directory it leaves the log, the
file ``appended`` with what the writers were told, and ``read`` with what the reader has got. A line
of these is a position, the name of a writer, and the writer's own count.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from itertools import count
from pathlib import Path

import gevent

from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.segments import members, writer_lock
from gateway_shim.event_log.segments.layout import segment_name
from gateway_shim.event_log.segments.segment_log import SegmentLog

__all__ = ["LIMITS", "parse", "text_of"]

LIMITS = LogLimits(8 * 8192)
"""The limits of the log: small, so that segments are begun and trimmed all the time."""

_WRITERS = 3


def text_of(writer: int, number: int) -> bytes:
    """Return the text of an event, as long as its number says."""
    return b"%d %d %b" % (writer, number, b"." * (number * 37 % 300))


def parse(frame: bytes) -> tuple[int, int]:
    """Return the writer and the number of a frame, which must be whole.

    Raises:
        AssertionError: the frame is not what a writer has written.
    """
    size, _, rest = frame.partition(b"\r\n")
    chunk = rest[: int(size, 16)]
    assert rest == chunk + b"\r\n", frame
    text = chunk.partition(b"data: ")[2].removesuffix(b"\n\n")
    writer, number, _ = text.split(b" ")
    assert text == text_of(int(writer), int(number)), frame
    return int(writer), int(number)


def _write(directory: Path, writer: int) -> None:
    told = os.open(directory / "appended", os.O_WRONLY | os.O_APPEND)
    log = SegmentLog(directory / "log", LIMITS, signature="")
    for number in count():
        audience = EVERYONE if number % 3 else f"r:{writer}"
        position = log.append(audience, b"data: %b\n\n" % text_of(writer, number))
        os.write(told, b"%d %d %d\n" % (position, writer, number))


def _read(directory: Path) -> None:
    log = SegmentLog(directory / "log", LIMITS, signature="")
    epoch, position = log.epoch, 0
    log.completed(0)
    (directory / "reading").touch()
    with (directory / "read").open("w") as file:
        while True:
            stop = (directory / "stop").exists()
            entries = log.read(position, 1000)
            assert entries is not None, f"fell behind after {position}"
            assert log.epoch == epoch
            for entry in entries:
                writer, number = parse(bytes(entry.frame))
                assert entry.audience == (EVERYONE if number % 3 else f"r:{writer}")
                position = entry.position
                file.write(f"{position} {writer} {number}\n")
            log.completed(position)
            if stop and not entries:
                break
            gevent.sleep(0.0005)


def _start(work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    finally:
        if status:
            traceback.print_exc()  # the test looks for it
        sys.stderr.flush()
        os._exit(status)


def _main(directory: Path, seed: int, kills: int) -> int:
    # On a busy machine the reader may stand still for a second; it must not be left behind. The
    # writer that holds the lock may stand still, too; the others must not give up.
    members.STUCK_SECONDS = writer_lock.LOCK_SECONDS = 3600.0
    dice = random.Random(seed)
    told = directory / "appended"
    told.touch()
    writers = count()
    reader = _start(lambda: _read(directory))
    while not (directory / "reading").exists():
        time.sleep(0.001)
    running: list[int] = []
    for _ in range(kills):
        while len(running) < _WRITERS:
            name = next(writers)
            running.append(_start(lambda name=name: _write(directory, name)))
        size = told.stat().st_size
        while told.stat().st_size <= size:
            time.sleep(0.001)
        time.sleep(dice.random() * 0.01)
        _kill(running.pop(dice.randrange(_WRITERS)))
    # Slow writers have not filled the log yet.
    while any((directory / "log").glob(f"*{segment_name('', 0)}")):
        time.sleep(0.001)
    for child in running:
        _kill(child)
    (directory / "stop").touch()
    return os.waitstatus_to_exitcode(os.waitpid(reader, 0)[1])


def _kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
