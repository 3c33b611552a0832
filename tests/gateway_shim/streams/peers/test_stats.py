"""Tests of the counters."""

from __future__ import annotations

from dataclasses import asdict

from gateway_shim.streams.peers.stats import PeerStats
from tests.gateway_shim.streams.peers.wire import Wire


def test_all_begin_at_zero() -> None:
    """A new process has told and heard nothing."""
    assert set(asdict(PeerStats()).values()) == {0}


def test_what_is_counted(wire: Wire) -> None:
    """Each side counts what it has written and what was for it."""
    first, second, third = (wire.join().start() for _ in range(3))
    second.when_told("k", lambda sender, data: None)
    second.when_asked("q", lambda data: data)
    first.tell("k", 1)
    first.ask("q", 1, to=second.process)
    second.noted(b"damaged")
    assert asdict(first.stats) | {"told": 2, "asked": 1, "heard": 1} == asdict(first.stats)
    assert asdict(second.stats) | {"told": 1, "heard": 2, "ignored": 1} == asdict(second.stats)
    assert (third.stats.heard, third.stats.told) == (1, 0)
