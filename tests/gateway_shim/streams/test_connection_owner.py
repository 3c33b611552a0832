"""The owner of a connection."""

from __future__ import annotations

from gateway_shim.streams.connection import Connection
from gateway_shim.streams.connection_owner import ConnectionOwner
from tests.gateway_shim.following_browser import following
from tests.gateway_shim.running_gateway import RunningGateway


def test_without_a_log(running: RunningGateway) -> None:
    """The gateway's streams own the connections."""
    owner: ConnectionOwner[Connection] = running.gateway._streams
    assert owner.log is None


def test_with_a_log() -> None:
    """The streams know the log that they follow."""
    with following() as running:
        owner: ConnectionOwner[Connection] = running.gateway._streams
        assert owner.log is not None
        assert owner.log.newest == owner.log.completed == 0
