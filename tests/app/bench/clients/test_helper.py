"""Helper processes."""

from __future__ import annotations

import contextlib
import os

import pytest

from app.bench.clients.helper import Helper
from app.bench.errors import BenchFailed

ECHO = "tests.app.bench.clients.echo"


def test_commands() -> None:
    """A failed command raises its error, and the next command is answered again."""
    with Helper(ECHO) as helper:
        assert helper.call("double", number=21) == 42
        with pytest.raises(BenchFailed, match="no room"):
            helper.call("fail", message="no room")
        helper.begin("double", number=4)
        assert helper.finish() == 8


def test_death() -> None:
    """A process that has ended is reported with its last line."""
    with Helper(ECHO) as helper:
        with pytest.raises(BenchFailed, match=f"{ECHO} has ended: my last word"):
            helper.call("die", word="my last word")
        with pytest.raises(BenchFailed, match="has ended"):
            helper.call("double", number=1)


def test_nothing_is_left() -> None:
    """The process has ended after the ``with`` statement."""
    with Helper(ECHO) as helper:
        pid = helper._process.pid
        assert helper.call("double", number=1) == 2
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_nothing_is_left_after_a_failure() -> None:
    """The process has ended after an exception, too."""
    helper = Helper(ECHO)
    with contextlib.suppress(ZeroDivisionError), helper:
        raise ZeroDivisionError
    with pytest.raises(ProcessLookupError):
        os.kill(helper._process.pid, 0)
