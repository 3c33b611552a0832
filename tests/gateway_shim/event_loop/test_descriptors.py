"""Tests of file descriptors that no watcher of the event loop uses."""

from __future__ import annotations

import os

import pytest

from gateway_shim.event_loop.descriptors import close_now


def test_close_now() -> None:
    """The descriptor of a pipe is closed when the call returns, before the loop's next round."""
    reader, writer = os.pipe()
    close_now(reader)
    with pytest.raises(BrokenPipeError):
        os.write(writer, b"x")
    close_now(writer)
