"""The memory of a broadcast: counts that are the same on every machine, and no timings.

Each guard is also run against code that does too much on purpose. So the guard is known to fail if
a change adds work for each stream and event.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc

import pytest

from gateway_shim.protocol.outbox import Outbox
from gateway_shim.streams.gateway import Gateway
from tests.bench.counted_gateway import FEW, MANY, CountedGateway, objects_of
from tests.bench.worse_gateways import (
    GreenletForEachStream,
    KeepsTheHeaders,
    RemembersEverything,
)

BYTES_PER_STREAM = 3 * 1024
"""The limit for an open stream with a browser's twelve headers; 2,100 were measured."""


OBJECTS_PER_STREAM = 10
"""The limit of objects that the garbage collector tracks for a stream; 8 were measured."""


def peak_bytes(counted: CountedGateway) -> int:
    """Return the largest memory that one broadcast uses at any moment, bytes."""
    counted.broadcast()  # the first broadcast makes objects that all later ones share
    gc.collect()
    tracemalloc.start()
    try:
        counted.broadcast()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def blocks_left(counted: CountedGateway) -> int:
    """Return the number of memory blocks that a hundred broadcasts leave behind."""
    for _ in range(10):
        counted.broadcast()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(100):
        counted.broadcast()
    gc.collect()
    return sys.getallocatedblocks() - before


def peak_for_one_more(gateway: type[Gateway]) -> float:
    """Return the memory that a broadcast uses for one more stream, bytes."""
    peaks = []
    for streams in (FEW, MANY):
        with CountedGateway(streams, gateway) as counted:
            peaks.append(peak_bytes(counted))
    return (peaks[1] - peaks[0]) / (MANY - FEW)


def test_no_object_per_delivery() -> None:
    """A broadcast uses memory for two slices of its streams and for the yields between."""
    assert peak_for_one_more(Gateway) < 24


@pytest.mark.parametrize("worse", [GreenletForEachStream, RemembersEverything])
def test_objects_per_delivery_are_seen(worse: type[Gateway]) -> None:
    """The guard fails if an object is made for each stream."""
    assert peak_for_one_more(worse) > 40


def left_behind(gateway: type[Gateway]) -> int:
    """Return the number of memory blocks that a hundred broadcasts of a gateway leave behind."""
    with CountedGateway(FEW, gateway) as counted:
        return blocks_left(counted)


def test_nothing_is_left_behind() -> None:
    """A hundred broadcasts leave no memory behind."""
    assert left_behind(Gateway) < 50


def test_what_is_left_behind_is_seen() -> None:
    """The guard fails if a delivery leaves an object behind."""
    assert left_behind(RemembersEverything) > 100 * FEW / 2


def kept_per_stream(gateway: type[Gateway]) -> tuple[float, float]:
    """Return the bytes and the objects that Python keeps for each open stream."""
    with CountedGateway(FEW, gateway):  # the first one makes objects that all later ones share
        pass
    counted = CountedGateway(MANY, gateway)
    tracemalloc.start()
    try:
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        objects = objects_of(counted.__enter__)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        counted.__exit__(None, None, None)
    return kept / MANY, objects / MANY


def test_small_streams() -> None:
    """An open stream with a browser's twelve headers keeps few bytes in few objects."""
    size, objects = kept_per_stream(Gateway)
    assert size < BYTES_PER_STREAM
    assert objects < OBJECTS_PER_STREAM


def test_larger_streams_are_seen() -> None:
    """The guard fails if a stream keeps its headers as they came."""
    size, objects = kept_per_stream(KeepsTheHeaders)
    assert size > BYTES_PER_STREAM
    assert objects > OBJECTS_PER_STREAM


def queued_bytes(events: int, copies: bool) -> float:
    """Return the memory that each event takes in the outbox of a client that does not read."""
    outboxes = [Outbox(1_000_000) for _ in range(20)]
    tracemalloc.start()
    try:
        for number in range(events):
            data = b"%200d" % number
            for outbox in outboxes:
                outbox.put(bytes(bytearray(data)) if copies else data)
        return tracemalloc.get_traced_memory()[0] / events / len(outboxes)
    finally:
        tracemalloc.stop()


def test_slow_clients_share_what_waits() -> None:
    """An event that waits for many slow clients is in memory once."""
    assert queued_bytes(500, copies=False) < 32


def test_copies_for_slow_clients_are_seen() -> None:
    """The guard fails if each slow client has its own copy."""
    assert queued_bytes(500, copies=True) > 200
