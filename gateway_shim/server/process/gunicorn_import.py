"""The import of gunicorn, which fails if WEB_CONCURRENCY is not an integer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["gunicorn_importable"]

_VARIABLE = "WEB_CONCURRENCY"


@contextmanager
def gunicorn_importable() -> Iterator[None]:
    """Hide WEB_CONCURRENCY inside a block in which gunicorn is imported for the first time.

    gunicorn reads the variable when it is imported, and ends with a traceback if its text is not an
    integer. It reads a default there that our servers never use: they give gunicorn the number of
    workers. So the variable is hidden, and the settings read it later and say what is wrong.

    Call it before the process has threads.
    """
    hidden = os.environ.pop(_VARIABLE, None)
    try:
        yield
    finally:
        if hidden is not None:
            os.environ[_VARIABLE] = hidden
