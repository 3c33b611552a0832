"""The outputs of ``watch`` that cannot be written to."""

from __future__ import annotations

import errno
import io
import os
import threading

from app.watch.command import watch
from tests.app.watch.watch_run import VERSION
from tests.support.http.scripted_server import ScriptedServer, sse_answer


def test_narrow_terminal() -> None:
    """Characters that the output's encoding lacks are escaped."""
    raw = io.BytesIO()
    with ScriptedServer(sse_answer("data: é😀\n\n".encode())) as server:
        out = io.TextIOWrapper(raw, encoding="latin-1")

        def stop(seconds: float) -> None:
            raise KeyboardInterrupt

        url = f"http://127.0.0.1:{server.port}"
        assert watch(url, out=out, err=io.StringIO(), sleep=stop) == 0
    assert raw.getvalue().endswith(b" message    \xe9\\U0001f600\n")


class Closed(io.StringIO):
    """An output whose reader has closed it."""

    def write(self, text: str) -> int:
        """Raise the error of a closed pipe."""
        raise BrokenPipeError


def test_reader_goes_away() -> None:
    """``watch`` ends with status 0 when either output is closed."""
    hold = threading.Event()
    err = io.StringIO()
    with ScriptedServer(*[sse_answer(VERSION, hold=hold)] * 2) as server:
        url = f"http://127.0.0.1:{server.port}"
        assert watch(url, out=Closed(), err=err) == 0
        assert watch(url, out=io.StringIO(), err=Closed()) == 0
        hold.set()
    assert err.getvalue().count("\n") == 1


class Full(io.StringIO):
    """An output on a full disk."""

    def write(self, text: str) -> int:
        """Raise the error of a full disk."""
        raise OSError(errno.ENOSPC, "No space left on device")


def test_the_output_is_full() -> None:
    """A full disk ends ``watch`` with status 1 and one line, if that line can be written."""
    err = io.StringIO()
    with ScriptedServer(*[sse_answer(VERSION)] * 2) as server:
        url = f"http://127.0.0.1:{server.port}"
        assert watch(url, out=Full(), err=err) == 1
        assert watch(url, out=io.StringIO(), err=Full()) == 1
    assert err.getvalue().splitlines()[1:] == ["watch: cannot write: No space left on device"]


def test_reader_of_a_pipe_goes_away() -> None:
    """A closed pipe can be flushed without an error, as Python does when it exits."""
    reader, writer = os.pipe()
    os.close(reader)
    with ScriptedServer(sse_answer(VERSION)) as server, os.fdopen(writer, "w") as out:
        assert watch(f"http://127.0.0.1:{server.port}", out=out, err=io.StringIO()) == 0
        out.write("discarded")
