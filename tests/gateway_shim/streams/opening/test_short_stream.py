"""One event, then the end, to clients that read it or do not."""

from __future__ import annotations

import gevent

from gateway_shim.protocol import event_stream as wire
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import Dialect, Event
from tests.gateway_shim.streams.rig import Rig
from tests.support.http.message import Ended


def test_one_event_and_the_end() -> None:
    """As in the contract's envelope dialect: 200, the event, a clean end."""
    with Rig(dialect=Dialect.ENVELOPE) as rig:
        rig.backend.answer = CallbackAnswer(401)
        stream = rig.visit().stream()
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw == wire.rejected(401, "Unauthorized").bare
        assert rig.backend.reasons == {}, "it never was a stream"


def test_a_client_that_has_left() -> None:
    """Nothing is left of it, and nothing is raised."""
    with Rig() as rig:
        rig.gateway.drain(Event("bye", ""), 0)
        visit = rig.visit()
        visit.client.reset()
        assert visit.outcome() is None
        gevent.sleep(0)
        assert (rig.gateway.stats.active, rig.gateway.stats.refused) == (0, 1)
