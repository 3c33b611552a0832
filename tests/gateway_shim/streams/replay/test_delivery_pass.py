"""One entry on its way to the streams."""

from __future__ import annotations

import gevent
import pytest

from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import MemoryLog
from gateway_shim.streams.replay import delivery_pass
from gateway_shim.streams.replay.delivery_pass import DeliveryPass
from tests.gateway_shim.following_browser import Browser, following, publish
from tests.gateway_shim.hub_errors import soon
from tests.gateway_shim.running_gateway import RunningGateway


class Interrupted(Exception):
    """The end of a greenlet in the middle of a delivery."""


def test_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass that is interrupted goes on at the next stream; who was passed is known."""
    with following() as running:
        browsers = [Browser(running) for _ in range(3)]
        publish(running, "1")
        following_ = running.gateway._following
        assert following_ is not None
        entries = following_._log.read(0, 1)
        assert entries is not None
        streams = running.gateway._streams
        connections = [streams.by_token[browser.visit.token] for browser in browsers]
        current = DeliveryPass(entries[0], connections)
        assert current.for_everyone
        monkeypatch.setattr(delivery_pass, "YIELD_EVERY", 1)

        def interrupt() -> None:
            raise Interrupted

        monkeypatch.setattr(delivery_pass, "let_others_run_if_due", interrupt)
        for passed in (1, 2):
            with pytest.raises(Interrupted):
                current.go_on(streams)
            assert [current.has_passed(item) for item in connections].count(True) == passed
        current.go_on(streams)
        assert current.delivered == 3
        assert all(current.has_passed(item) for item in connections)
        assert [browser.texts for browser in browsers] == [["1", "1"]] * 3


class ManyEpochs(MemoryLog):
    """A log that begins a new epoch with the next append."""

    is_lost = False

    def append(self, audience: str, event: bytes) -> int:
        """Append, first to a new epoch if the last one is lost."""
        if self.is_lost and self._listener is not None:
            self.is_lost, listener = False, self._listener
            listener.trimming(self.newest)
            self.__init__(LogLimits(1 << 20), epoch="f")  # type: ignore[misc]
            self.listen(listener)
        return super().append(audience, event)


@pytest.mark.parametrize("is_lost", [False, True])
def test_an_entry_that_the_log_loses_meanwhile(
    monkeypatch: pytest.MonkeyPatch, is_lost: bool
) -> None:
    """Each client gets the entry whole, and a resync, if others fill the log meanwhile.

    The same if the log's files are removed meanwhile, so that a new epoch begins.
    """
    log = ManyEpochs(LogLimits(1 << 20), epoch="e")
    with RunningGateway(open_log=lambda: log) as running:
        browsers = [Browser(running, send_buffer=4096) for _ in range(4)]
        monkeypatch.setattr(delivery_pass, "YIELD_EVERY", 2)
        others = []

        def append_more() -> None:
            if not others:
                log.is_lost = is_lost
                others.extend(gevent.spawn(publish, running, "x" * 600_000) for _ in range(2))
                gevent.sleep(0)
                assert log.oldest > 1 or log.epoch == "f"

        monkeypatch.setattr(delivery_pass, "let_others_run_if_due", append_more)
        whole = "y" * 500_000
        publish(running, whole)
        gevent.joinall(others, raise_error=True)
        for browser in browsers:
            soon(lambda: any(b.name == "resync" for b in browser.blocks), "the resync")  # noqa: B023
            named = [block for block in browser.blocks if block.name]
            assert named[0].data == whole
            assert named[1].name == "resync"
