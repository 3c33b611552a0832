"""A stream of one event, to clients that read it and clients that have left."""

from __future__ import annotations

import gevent

from gateway_shim.protocol import event_stream
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import Dialect, Event
from gateway_shim.protocol.results import OpenResult
from tests.gateway_shim.running_gateway import RunningGateway
from tests.support.http.message import Ended


def test_one_event_and_the_end() -> None:
    """A rejection is a 200, one event and a clean end, as in the contract's envelope dialect."""
    with RunningGateway(dialect=Dialect.ENVELOPE) as running:
        running.backend.answer = CallbackAnswer(401)
        stream = running.visit().stream(OpenResult.REJECTED)
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw == event_stream.rejected(401, "Unauthorized").bare
        assert running.backend.reasons == {}, "the stream was never open"


def test_a_client_that_has_left() -> None:
    """A client that has left causes no error, and nothing is left of its stream."""
    with RunningGateway() as running:
        running.gateway.drain(Event("bye", ""), 0)
        visit = running.visit()
        visit.client.reset()
        assert visit.outcome() is OpenResult.DRAINING
        gevent.sleep(0)
        assert (running.stats.active, running.stats.refused) == (0, 1)
