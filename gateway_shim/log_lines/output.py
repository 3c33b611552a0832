"""Handles output that cannot be written, because a disk is full or a pipe is closed."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from typing import NoReturn, TextIO

__all__ = ["drop_unwritten_output", "guarded_output"]

_CANNOT_WRITE = frozenset(
    {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENXIO}
)


@contextlib.contextmanager
def guarded_output() -> Iterator[None]:
    """End the program with status 1 if the output of the body cannot be written.

    One line on standard error says why. A pipe whose reader is gone is not reported. Every entry
    point of a command runs its whole body in this context.

    Raises:
        SystemExit: with status 1, because the output could not be written. If the body ends with
            another status than 0, this status is kept.
    """
    try:
        yield
        _flush()
    except SystemExit as exit_request:
        try:
            _flush()  # the rest of print()'s output; Python's own flush would end with a traceback
        except OSError as exc:
            if exit_request.code in (None, 0):
                _give_up(exc)
            drop_unwritten_output()
        raise
    except OSError as exc:
        # An error about a file has its name, and is not about the output.
        if exc.filename is not None or exc.errno not in _CANNOT_WRITE:
            raise
        _give_up(exc)


def drop_unwritten_output() -> None:
    """Forget the output that cannot be written, so that the end of the process does not fail.

    A server calls this function when it ends. A full disk behind its log must not make a clean end
    look like a crash (Python would exit with status 120).
    """
    for stream in _streams():
        _drop_unwritten(stream)


def _streams() -> list[TextIO]:
    # A stream is None if it was closed when the process started.
    return [stream for stream in (sys.stdout, sys.stderr) if stream is not None]


def _flush() -> None:
    for stream in _streams():
        if not stream.closed:
            stream.flush()


def _give_up(exc: OSError) -> NoReturn:
    if exc.errno != errno.EPIPE and sys.stderr is not None:
        with contextlib.suppress(OSError):  # standard error may be on the same disk
            sys.stderr.write(f"Error: cannot write the output: {exc.strerror}\n")
            sys.stderr.flush()
    drop_unwritten_output()
    raise SystemExit(1) from exc


def _drop_unwritten(stream: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError):  # ValueError: the stream is closed
        stream.flush()
        return
    # Python flushes the stream once more at its end. Redirect it to the null device.
    with contextlib.suppress(OSError, ValueError):
        null_device = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null_device, stream.fileno())
        finally:
            os.close(null_device)
