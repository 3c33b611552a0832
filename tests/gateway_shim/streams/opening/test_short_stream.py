"""One event, then the end, to clients that read it or do not."""

from __future__ import annotations

import gevent

from gateway_shim.protocol import event_stream as wire
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import Dialect, Event
from tests.gateway_shim.running_gateway import RunningGateway
from tests.support.http_message import Ended


def test_one_event_and_the_end() -> None:
    """As in the contract's envelope dialect: 200, the event, a clean end."""
    with RunningGateway(dialect=Dialect.ENVELOPE) as running:
        running.backend.answer = CallbackAnswer(401)
        stream = running.visit().stream()
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw == wire.rejected(401, "Unauthorized").bare
        assert running.backend.reasons == {}, "it never was a stream"


def test_a_client_that_has_left() -> None:
    """Nothing is left of it, and nothing is raised."""
    with RunningGateway() as running:
        running.gateway.drain(Event("bye", ""), 0)
        visit = running.visit()
        visit.client.reset()
        assert visit.outcome() is None
        gevent.sleep(0)
        assert (running.gateway.stats.active, running.gateway.stats.refused) == (0, 1)
