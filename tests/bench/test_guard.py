"""What a broadcast may cost: no timing, but counts, which are the same on every machine.

Each guard is also held against code that is worse on purpose: so it is known to fail if somebody
adds work per stream and event.
"""

from __future__ import annotations

import gc
import logging
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence

import gevent
import pytest

from app.services.connection_manager import ConnectionManager
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.outbox import Outbox
from gateway_shim.streams.gateway import BroadcastResult, Gateway
from tests.bench.house import CountingHandler, House, encodes, objects_of

FEW, MANY = 50, 1000

BYTES_PER_STREAM = 3 * 1024
"""What Python may allocate for an open stream with a browser's twelve headers; it is 2,100."""

OBJECTS_PER_STREAM = 10
"""What the garbage collector may have to look at for each; it is 8."""


@pytest.fixture
def records() -> Iterator[CountingHandler]:
    """Every log record, DEBUG included, is counted."""
    handler, root = CountingHandler(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


def peak_bytes(house: House) -> int:
    """The most memory that one broadcast has in use at any moment."""
    house.broadcast()  # what the first one makes for all is not among it
    gc.collect()
    tracemalloc.start()
    try:
        house.broadcast()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def blocks_left(house: House) -> int:
    """Memory blocks that a hundred broadcasts have left behind."""
    for _ in range(10):
        house.broadcast()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(100):
        house.broadcast()
    gc.collect()
    return sys.getallocatedblocks() - before


def python_calls(house: House) -> int:
    """How many Python functions one broadcast calls, in its own greenlet."""
    calls = 0

    def count(frame: object, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call"

    house.broadcast()
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        house.broadcast()
    finally:
        sys.setprofile(before)
    return calls


# ---------------------------------------------------------------------- worse on purpose


class LogsEachStream(Gateway):
    """Writes a log line for each stream."""

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Log, and broadcast."""
        for token in tokens:
            logging.getLogger("worse").debug("sending to %s", token)
        return super().broadcast(tokens, event)


class EncodesForEachStream(Gateway):
    """Encodes the event for each stream."""

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Broadcast to one stream after the other."""
        for token in tokens:
            super().broadcast([token], event)
        return BroadcastResult(len(tokens), ())


class SendsTwice(Gateway):
    """Sends in two pieces."""

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Broadcast the name and then the data."""
        super().broadcast(tokens, Event(event.name, ""))
        return super().broadcast(tokens, event)


class AsksEachSocket(Gateway):
    """Looks at each socket before it sends."""

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Ask, and broadcast."""
        for connection in self._streams.by_token.values():
            connection._sock.fileno()
        return super().broadcast(tokens, event)


class GreenletForEachStream(Gateway):
    """Sends to each stream from a greenlet of its own."""

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Spawn, and wait."""
        gevent.joinall([gevent.spawn(self.send, token, event) for token in tokens])
        return BroadcastResult(len(tokens), ())


class RemembersEverything(Gateway):
    """Keeps a note of each delivery."""

    notes: list[tuple[str, Event]]

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Note, and broadcast."""
        self.notes = getattr(self, "notes", [])
        self.notes += [(token, event) for token in tokens]
        return super().broadcast(tokens, event)


class KeepsTheHeaders(Gateway):
    """Keeps each stream's request as it came."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.requests: list[object] = []

    def open(self, request: object, sock: object) -> object:  # type: ignore[override]
        """Keep a copy, and open."""
        self.requests.append([{name: [text] for name, text in request.headers.items()}])  # type: ignore[attr-defined]
        return super().open(request, sock)  # type: ignore[arg-type]


class CountsEachStream(ConnectionManager):
    """Reports each stream's delivery."""

    def send_event(self, *args: object) -> bool:  # type: ignore[override]
        """Report, and send."""
        for _ in self._token_to_request_id:
            self._metrics.event_sent("task", "success", 0.0)
        return super().send_event(*args)  # type: ignore[arg-type]


# ---------------------------------------------------------------------- the guards


def calls_per_broadcast(gateway: type[Gateway], streams: int) -> Counter[str]:
    """What a broadcast does with the sockets."""
    with House(streams, gateway) as house:
        house.count_calls()
        house.broadcast()
        return +house.calls


def test_one_system_call_per_delivery() -> None:
    """A delivery is one send, and nothing else is done with any socket."""
    assert calls_per_broadcast(Gateway, MANY) == {"send": MANY}


@pytest.mark.parametrize("worse", [SendsTwice, AsksEachSocket])
def test_more_system_calls_are_seen(worse: type[Gateway]) -> None:
    """The guard of the system calls fails where there are more of them."""
    assert calls_per_broadcast(worse, FEW).total() == 2 * FEW


def test_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event is encoded once, however many streams get it."""
    with House(MANY) as house:
        noted = encodes(monkeypatch)
        house.broadcast()
        assert len(noted) == 1


def test_more_encodings_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard of the encodings fails where there is one for each stream."""
    with House(FEW, EncodesForEachStream) as house:
        noted = encodes(monkeypatch)
        house.broadcast()
        assert len(noted) == FEW


def log_records(records: CountingHandler, gateway: type[Gateway], streams: int) -> int:
    """Log records of one broadcast."""
    with House(streams, gateway) as house:
        before = records.count
        house.broadcast()
        return records.count - before


def test_one_log_record_per_broadcast(records: CountingHandler) -> None:
    """Even with DEBUG on, a broadcast is one log line, and not one for each stream."""
    assert log_records(records, Gateway, MANY) == 1


def test_more_log_records_are_seen(records: CountingHandler) -> None:
    """The guard of the log records fails where there is one for each stream."""
    assert log_records(records, LogsEachStream, FEW) == FEW + 1


def metric_calls(manager: type[ConnectionManager], streams: int) -> Counter[str]:
    """Calls of the metrics in one broadcast."""
    with House(streams, manager=manager) as house:
        house.metrics.calls.clear()
        house.broadcast()
        return house.metrics.calls


def test_metrics_per_broadcast() -> None:
    """A broadcast is counted once as an event and once as a broadcast."""
    assert metric_calls(ConnectionManager, MANY) == {"event_sent": 1, "broadcast_finished": 1}


def test_more_metric_calls_are_seen() -> None:
    """The guard of the metrics fails where each stream is counted."""
    assert metric_calls(CountsEachStream, FEW)["event_sent"] == FEW + 1


def calls_for_one_more(gateway: type[Gateway]) -> float:
    """Python functions that a broadcast calls for each further stream."""
    counts = []
    for streams in (FEW, MANY):
        with House(streams, gateway) as house:
            counts.append(python_calls(house))
    return (counts[1] - counts[0]) / (MANY - FEW)


def test_no_python_call_per_delivery() -> None:
    """A delivery calls no Python function; the few there are belong to the yields on the way."""
    assert 0 < calls_for_one_more(Gateway) < 0.5


def test_more_python_calls_are_seen() -> None:
    """The guard of the calls fails where one delivery takes several."""
    assert calls_for_one_more(EncodesForEachStream) > 3


def peak_for_one_more(gateway: type[Gateway]) -> float:
    """Bytes that a broadcast has in use for each further stream."""
    peaks = []
    for streams in (FEW, MANY):
        with House(streams, gateway) as house:
            peaks.append(peak_bytes(house))
    return (peaks[1] - peaks[0]) / (MANY - FEW)


def test_no_object_per_delivery() -> None:
    """A broadcast's memory is two slices of its streams, and what its yields let others use."""
    assert peak_for_one_more(Gateway) < 24


@pytest.mark.parametrize("worse", [GreenletForEachStream, RemembersEverything])
def test_objects_per_delivery_are_seen(worse: type[Gateway]) -> None:
    """The guard of the memory fails where something is made for each stream."""
    assert peak_for_one_more(worse) > 40


def left_behind(gateway: type[Gateway]) -> int:
    """Memory blocks that a hundred broadcasts leave."""
    with House(FEW, gateway) as house:
        return blocks_left(house)


def test_nothing_is_left_behind() -> None:
    """A hundred broadcasts leave no memory behind."""
    assert left_behind(Gateway) < 50


def test_what_is_left_behind_is_seen() -> None:
    """The guard of what is left fails where a delivery leaves something."""
    assert left_behind(RemembersEverything) > 100 * FEW / 2


def kept_per_stream(gateway: type[Gateway]) -> tuple[float, float]:
    """Bytes and objects that Python keeps for each open stream."""
    with House(FEW, gateway):  # what the first one makes for all is not among it
        pass
    house = House(MANY, gateway)
    tracemalloc.start()
    try:
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        objects = objects_of(house.__enter__)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        house.__exit__(None, None, None)
    return kept / MANY, objects / MANY


def test_small_streams() -> None:
    """An open stream keeps little, the browser's twelve headers included, in few objects."""
    size, objects = kept_per_stream(Gateway)
    assert size < BYTES_PER_STREAM
    assert objects < OBJECTS_PER_STREAM


def test_larger_streams_are_seen() -> None:
    """The guard of what is kept fails where a stream keeps its headers as they came."""
    size, objects = kept_per_stream(KeepsTheHeaders)
    assert size > BYTES_PER_STREAM
    assert objects > OBJECTS_PER_STREAM


def queued_bytes(events: int, copies: bool) -> float:
    """Memory that each event takes in the outbox of a client that does not read."""
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
    """An event that waits for many slow clients is in memory once, and a reference for each."""
    assert queued_bytes(500, copies=False) < 32


def test_copies_for_slow_clients_are_seen() -> None:
    """The guard of what waits fails where each slow client has a copy."""
    assert queued_bytes(500, copies=True) > 200
