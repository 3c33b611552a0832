"""Sends, broadcasts and closes from native threads."""

from __future__ import annotations

import gevent
import pytest

from gateway_shim.errors import LoopNotRunning, NotAllowedHere, UnknownToken
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.gateway import BroadcastResult, SendStatus
from tests.gateway_shim.streams.rig import BIG, Rig, tcp_pair
from tests.support.http.message import Ended
from tests.support.native_threads import begin_native, run_native
from tests.support.timing import TIME_LIMIT, wait_until


def test_a_full_socket_buffer_empties_after_sends_from_a_thread(rig: Rig) -> None:
    """What the kernel does not take at once arrives whole and in order, the end last."""
    token, stream = rig.open()

    def send() -> list[SendStatus]:
        statuses = [rig.gateway.send(token, Event(str(number), BIG)) for number in range(3)]
        return [*statuses, rig.gateway.send(token, Event("last", "1"), close=True)]

    assert run_native(send) == [[SendStatus.OK] * 4]
    assert stream.wait_for_end() is Ended.CLEAN
    assert [(event.type, len(event.data)) for event in stream.events] == [
        *((str(number), 300_000) for number in range(3)),
        ("last", 1),
    ]
    assert rig.gateway.stats.bytes_buffered == 0


def test_every_senders_order_holds(rig: Rig) -> None:
    """Two native threads and the loop, to a client that falls behind: all of it, in order."""
    token, stream = rig.open(send_buffer=4096)
    filler = "x" * 500

    def send(name: str, broadcast: bool) -> None:
        for number in range(200):
            event = Event(name, f"{number} {filler}")
            if broadcast:
                assert rig.gateway.broadcast([token], event) == BroadcastResult(1, ())
            else:
                assert rig.gateway.send(token, event) is SendStatus.OK
            if name == "loop":
                gevent.sleep(0)

    own = gevent.spawn(send, "loop", False)
    threads = begin_native(lambda: send("a", False), lambda: send("b", True))
    with gevent.Timeout(TIME_LIMIT):
        for _ in range(600):
            stream.next_event()
        own.get()
        for thread in threads:
            thread.get()
    for name in ("a", "b", "loop"):
        numbers = [int(event.data.split()[0]) for event in stream.events if event.type == name]
        assert numbers == list(range(200))


def test_close_and_errors_from_a_thread(rig: Rig) -> None:
    """A thread learns what a greenlet would: the close, and then that the token is unknown."""
    token, stream = rig.open()
    run_native(lambda: rig.gateway.close(token))
    assert stream.wait_for_end() is Ended.CLEAN
    with pytest.raises(UnknownToken) as caught:
        run_native(lambda: rig.gateway.close(token))
    assert caught.value.token == token
    result = run_native(lambda: rig.gateway.broadcast([token], Event(None, "x")))
    assert result == [BroadcastResult(0, (token,))]
    assert run_native(lambda: rig.gateway.stats.active) == [0]


def test_broadcasts_of_threads_take_turns(rig: Rig) -> None:
    """All streams see the broadcasts of several threads in one order."""
    opened = [rig.open() for _ in range(3)]
    tokens = tuple(token for token, _ in opened)

    def broadcast(name: str) -> None:
        for number in range(50):
            rig.gateway.broadcast(tokens, Event(name, str(number)))

    run_native(lambda: broadcast("a"), lambda: broadcast("b"))
    seen = []
    for _, stream in opened:
        for _ in range(100):
            stream.next_event()
        seen.append([(event.type, event.data) for event in stream.events])
    assert seen[0] == seen[1] == seen[2]


def test_open_is_for_the_serving_thread(rig: Rig) -> None:
    """The watchers of a stream belong to the loop: another thread's open is refused, loudly."""
    client, server = tcp_pair()
    request = StreamRequest("/events", {}, False, "192.0.2.1")
    with client, server, pytest.raises(NotAllowedHere, match="event loop"):
        run_native(lambda: rig.gateway.open(request, server))
    assert rig.backend.calls == []


def test_drain_from_a_thread(rig: Rig) -> None:
    """A drain that a thread asks for ends every stream, and returns when they have ended."""
    _, stream = rig.open()
    run_native(lambda: rig.gateway.drain(Event("bye", "1"), 5.0))
    assert stream.wait_for_end() is Ended.CLEAN
    assert stream.events[-1].type == "bye"


def test_after_the_stop_a_thread_is_told(rig: Rig) -> None:
    """A send that no loop carries out any more raises; it does not wait for ever."""
    token, _ = rig.open()

    def send_for_ever() -> None:
        while True:
            rig.gateway.broadcast([token], Event(None, "x"))

    [sender] = begin_native(send_for_ever)
    wait_until(lambda: rig.gateway.stats.broadcasts, "a send")
    rig.gateway.stop()
    with pytest.raises(LoopNotRunning):
        sender.get()
    with pytest.raises(LoopNotRunning):
        run_native(lambda: rig.gateway.send(token, Event(None, "x")))
