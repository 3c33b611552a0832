"""Servers that the bench measures."""

from __future__ import annotations

import sys

import pytest

from app.bench.errors import BenchFailed
from app.bench.measured.server import MeasuredServer
from gateway_shim.parity.ports import free_port


def test_does_not_start() -> None:
    """A server that ends is shown with its last lines, and a missing command is named."""
    command = [sys.executable, "-c", "print('no such luck'); raise SystemExit(4)"]
    with pytest.raises(BenchFailed, match=r"ended with status 4\n  \| no such luck"):
        MeasuredServer(command, free_port(), {}).__enter__()
    with pytest.raises(BenchFailed, match="no-such-server cannot be started: No such file"):
        MeasuredServer(["no-such-server"], free_port(), {}).__enter__()
