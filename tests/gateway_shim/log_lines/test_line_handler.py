"""Tests of the line handler: a stream that cannot be written to loses lines and raises no error."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from collections.abc import Callable, Iterator
from typing import TextIO, cast

import pytest

from gateway_shim.log_lines.line_handler import LineHandler
from gateway_shim.log_lines.log_format import TextFormatter

logger = logging.getLogger("tests.line_handler")


@pytest.fixture
def log_to() -> Iterator[Callable[[io.TextIOBase], None]]:
    """Return a function that sends the lines of the logger to a stream only."""

    def add(stream: io.TextIOBase) -> None:
        handler = LineHandler(cast(TextIO, stream))
        handler.setFormatter(TextFormatter())
        logger.addHandler(handler)

    logger.propagate = False
    yield add
    logger.propagate = True
    logger.handlers.clear()


def closed() -> io.TextIOBase:
    """Return a closed stream."""
    stream = io.StringIO()
    stream.close()
    return stream


def full() -> io.TextIOBase:
    """Return a stream on a full disk."""
    return open("/dev/full", "w", encoding="utf-8")


def test_lines_are_written_at_once(log_to: Callable[[io.TextIOBase], None]) -> None:
    """A record is written as one line and flushed."""
    stream = io.StringIO()
    log_to(stream)
    logger.warning("hello")
    assert stream.getvalue().endswith(" WARNING tests.line_handler: hello\n")


@pytest.mark.parametrize("make", [closed, full])
def test_a_failing_stream_is_named_on_standard_error(
    make: Callable[[], io.TextIOBase],
    log_to: Callable[[io.TextIOBase], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A failing stream is reported in one line without a traceback, and the caller continues."""
    stream = make()
    log_to(stream)
    logger.warning("lost")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("sse-monolith: a log line could not be written: ")
    logger.handlers.clear()
    with contextlib.suppress(OSError):  # the stream still holds the unwritten line
        stream.close()


@pytest.mark.parametrize("make", [closed, full, lambda: None])
def test_failing_standard_error(
    make: Callable[[], io.TextIOBase],
    log_to: Callable[[io.TextIOBase], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A failing standard error cannot be reported, and the caller continues."""
    stream = make()
    monkeypatch.setattr(sys, "stderr", stream)
    log_to(stream)
    logger.warning("lost")
    logger.handlers.clear()
    with contextlib.suppress(OSError):
        if stream is not None:
            stream.close()


def test_a_narrow_stream_gets_escapes(log_to: Callable[[io.TextIOBase], None]) -> None:
    """Characters that the encoding does not have, as under LANG=C, become escapes."""
    raw = io.BytesIO()
    log_to(io.TextIOWrapper(raw, encoding="ascii", errors="strict"))
    logger.warning("caf\u00e9")
    assert raw.getvalue().endswith(b": caf\\xe9\n")
