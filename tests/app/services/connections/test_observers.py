"""The observers of connects: an observer that fails costs nothing but its own call."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable

import gevent
import pytest

from app.services.connection_manager import ConnectionManager
from app.services.connections.observers import ObservedConnects
from tests.app.services.conftest import (
    URL,
)


def failing_observer(request_id: str) -> None:
    """Raise an error."""
    raise ValueError(request_id)


def timed_out_observer(request_id: str) -> None:
    """Raise the timeout that an observer may set for itself."""
    raise gevent.Timeout


@pytest.mark.parametrize("observer", [failing_observer, timed_out_observer])
def test_an_observer_that_raises(
    manager: ConnectionManager,
    caplog: pytest.LogCaptureFixture,
    observer: Callable[[str], None],
) -> None:
    """An observer that raises is logged with its name; the other observers and the stream go on."""
    calls: list[str] = []
    manager.register_on_connect(calls.append)
    manager.register_on_connect(observer)
    manager.register_on_connect(calls.append)
    manager.on_connect("me", "T1", URL)
    assert (calls, manager.has_connection("me")) == (["me", "me"], True)
    (record,) = caplog.records
    assert (record.levelno, observer.__qualname__ in record.getMessage()) == (logging.WARNING, True)
    assert (vars(record)["request_id"], record.exc_info is not None) == ("me", True)


def test_an_observer_without_a_name(
    manager: ConnectionManager, caplog: pytest.LogCaptureFixture
) -> None:
    """An observer without a name is logged by its representation."""
    manager.register_on_connect(functools.partial(failing_observer))
    manager.on_connect("me", "T1", URL)
    (record,) = caplog.records
    assert "failing_observer" in record.getMessage()


def test_an_observer_that_cannot_be_named(
    manager: ConnectionManager, caplog: pytest.LogCaptureFixture
) -> None:
    """An observer whose representation raises costs neither the stream nor other observers."""

    class Observer:
        def __call__(self, request_id: str) -> None:
            raise ValueError

        def __repr__(self) -> str:
            raise ZeroDivisionError

    told: list[str] = []
    manager.register_on_connect(Observer())
    manager.register_on_connect(told.append)
    manager.on_connect("me", "T1", URL)
    assert (told, manager.has_connection("me")) == (["me"], True)
    (record,) = caplog.records
    assert "<Observer that cannot be shown: ZeroDivisionError>" in record.getMessage()


def test_an_observer_that_reports_a_connect_itself() -> None:
    """Each connect has its own observers; after the inner connect, the outer one goes on."""
    connects = ObservedConnects()
    with connects.run("outer"):
        with connects.run("inner"):
            assert (connects.is_observing("inner"), connects.is_observing("outer")) == (True, False)
        assert (connects.is_observing("inner"), connects.is_observing("outer")) == (False, True)
    assert not connects.is_observing("outer")


def test_a_connect_that_raises_is_over() -> None:
    """Nothing is kept of a connect whose greenlet is killed."""
    connects = ObservedConnects()
    with pytest.raises(gevent.GreenletExit), connects.run("me"):
        raise gevent.GreenletExit
    assert not connects.is_observing("me")
