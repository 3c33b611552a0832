"""Standard output and standard error that cannot be written to: a full disk, a closed pipe."""

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
    """End the program with status 1 if what the body prints cannot be written.

    Standard error gets one line that says why; nothing is said of a pipe whose reader is gone.
    Every entry point of a command wraps its whole run in it.

    Raises:
        SystemExit: with status 1, because the output could not be written. The body's own status,
            if it is another one than 0, is kept.
    """
    try:
        yield
        _flush()
    except SystemExit as ending:
        try:
            _flush()  # what print() has not written yet; Python would only fail with a traceback
        except OSError as exc:
            if ending.code in (None, 0):
                _give_up(exc)
            drop_unwritten_output()
        raise
    except OSError as exc:
        # One of a file names it, and is not about the output.
        if exc.filename is not None or exc.errno not in _CANNOT_WRITE:
            raise
        _give_up(exc)


def drop_unwritten_output() -> None:
    """Forget what the two outputs hold and cannot write, so that the process's end does not fail.

    A server calls it when it ends: a full disk behind its log must not make a clean end look like a
    crash (Python would exit with status 120).
    """
    for stream in _streams():
        _drop_unwritten(stream)


def _streams() -> list[TextIO]:
    # Either is None if the process was started with it closed.
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
    with contextlib.suppress(OSError, ValueError):  # ValueError: it is closed
        stream.flush()
        return
    # Python flushes it once more at its end: let that go nowhere.
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
