"""Clients that read their answer, and clients that do not."""

from __future__ import annotations

import gc
import io
import logging
import socket
import weakref
from collections.abc import Iterator

import gevent
import pytest

from gateway_shim.server.responses.answers import Answers, AnswerSocket, SlowReader
from gateway_shim.server.responses.transfers import TransferLimits
from gateway_shim.streams.refusal_counts import RefusalCounts
from tests.support.timing import TIME_LIMIT, wait_until

LARGE = 8 * 1024 * 1024


class Client:
    """A TCP connection with a guarded socket at the server's end."""

    def __init__(self, answers: Answers, owner: str = "192.0.2.1") -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.socket = socket.create_connection(listener.getsockname())
            self.server, _ = listener.accept()
        self.guarded: AnswerSocket = answers.guard(self.server, owner)

    def read(self, size: int) -> bytes:
        """Read a number of bytes."""
        data = b""
        while len(data) < size:
            piece = self.socket.recv(1024 * 1024)
            assert piece
            data += piece
        return data


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def refusals() -> RefusalCounts:
    """Provide a counter of refused clients."""
    return RefusalCounts()


@pytest.fixture
def clients() -> Iterator[list[Client]]:
    """Clients that are closed at the end of the test."""
    made: list[Client] = []
    yield made
    for client in made:
        client.socket.close()
        client.server.close()


def refused(refusals: RefusalCounts) -> dict[str, int]:
    """Return the number of refusals by reason."""
    return {reason: count for reason, count in refusals.by_reason.items() if count}


def test_a_client_that_reads(clients: list[Client], refusals: RefusalCounts) -> None:
    """A client that reads gets the whole answer, and no memory is held afterwards."""
    answers = Answers(TransferLimits(), refusals)
    clients.append(client := Client(answers))
    reading = gevent.spawn(client.read, LARGE + 4)
    client.guarded.sendall(b"head")
    client.guarded.sendall(memoryview(b"x" * LARGE))
    assert reading.get(timeout=TIME_LIMIT) == b"head" + b"x" * LARGE
    assert answers.transfers.held == 0
    assert client.guarded.family == socket.AF_INET


def test_a_client_that_does_not_read(
    clients: list[Client], refusals: RefusalCounts, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that does not read is cut, counted, and logged in one line."""
    answers = Answers(TransferLimits(answer_seconds=-LARGE / 10_000 + 0.05), refusals)
    clients.append(client := Client(answers))
    with (
        caplog.at_level(logging.WARNING, "gateway_shim.server.responses.answers"),
        pytest.raises(BrokenPipeError) as caught,
    ):
        client.guarded.sendall(b"x" * LARGE)
    assert isinstance(caught.value, SlowReader)
    assert refused(refusals) == {"slow_reader": 1}
    (record,) = caplog.records
    assert (record.getMessage(), record.__dict__["address"]) == ("slow reader cut", "192.0.2.1")
    assert answers.transfers.held == 0
    # The kernel drops what it still holds: the client is reset instead of getting the rest.
    client.server.close()
    with pytest.raises(ConnectionResetError):
        client.read(LARGE)


def test_the_time_grows_with_the_bytes(refusals: RefusalCounts, clients: list[Client]) -> None:
    """A slow client may take long for a large answer; time without a write does not count."""
    clock = Clock()
    answers = Answers(TransferLimits(answer_seconds=30), refusals, clock=clock)
    clients.append(client := Client(answers))
    allowed = []

    class Transfer:
        """A transfer whose write takes a minute, and that records its time limit."""

        counted = 0

        def hold(self, size: int) -> None:
            """Accept any number of bytes."""

        def waiting(self, seconds: float) -> gevent.Timeout:
            """Record the time limit."""
            allowed.append(seconds)
            clock.now += 10
            return gevent.Timeout(None)

    for _ in range(3):
        client.guarded._write(Transfer(), memoryview(b"x" * 50_000))  # type: ignore[arg-type]
        clock.now += 3600  # the application thinks
    assert allowed == [30 + 5, 30 + 10 - 10, 30 + 15 - 20]


def test_all_together(clients: list[Client], refusals: RefusalCounts) -> None:
    """The oldest waiting answers of the largest holder are cut to make room."""
    answers = Answers(TransferLimits(max_answers_bytes=2 * LARGE), refusals)
    slow = [Client(answers) for _ in range(2)]
    fast = Client(answers, "192.0.2.2")
    clients += [*slow, fast]
    sending = [gevent.spawn(client.guarded.sendall, b"x" * LARGE) for client in slow]
    wait_until(lambda: answers.transfers.held > LARGE, "both to wait")
    reading = gevent.spawn(fast.read, LARGE)
    fast.guarded.sendall(b"y" * LARGE)
    assert reading.get(timeout=TIME_LIMIT) == b"y" * LARGE
    with pytest.raises(SlowReader):
        sending[0].get(timeout=TIME_LIMIT)
    assert refused(refusals) == {"answers_limit": 1}
    slow[1].read(LARGE)
    sending[1].get(timeout=TIME_LIMIT)


def test_handlers_run_out(clients: list[Client], refusals: RefusalCounts) -> None:
    """make_room() ends the answer that has waited longest, unless its client seems to read."""
    clock = Clock()
    answers = Answers(TransferLimits(), refusals, clock=clock)
    clients += (slow := [Client(answers) for _ in range(2)])
    sending = []
    for client in slow:
        sending.append(gevent.spawn(client.guarded.sendall, b"x" * LARGE))
        gevent.sleep(0.01)
        clock.now += 1
    clock.now -= 0.1
    for _ in range(3):
        answers.make_room()
    with pytest.raises(SlowReader):
        sending[0].get(timeout=TIME_LIMIT)
    answers.make_room()
    slow[1].read(LARGE)
    sending[1].get(timeout=TIME_LIMIT)
    assert refused(refusals) == {"answers_limit": 1}
    clock.now += 10
    answers.make_room()  # nobody waits


def test_a_cut_answer_is_freed_at_once(clients: list[Client], refusals: RefusalCounts) -> None:
    """The memory of a cut answer is released at once, without the garbage collector."""

    class Body(bytearray):
        """Bytes that support weak references."""

    answers = Answers(TransferLimits(answer_seconds=-LARGE / 10_000 + 0.01), refusals)
    clients.append(client := Client(answers))
    gc.collect()
    gc.disable()
    try:
        body = Body(LARGE)
        seen = weakref.ref(body)

        def send(body: Body) -> None:
            with pytest.raises(SlowReader):
                client.guarded.sendall(body)

        sending = gevent.spawn(send, body)
        del body
        sending.get(timeout=TIME_LIMIT)
        del sending
        assert seen() is None
    finally:
        gc.enable()


def test_a_client_that_the_kernel_has_given_up(
    refusals: RefusalCounts, clients: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that the kernel has given up counts as a slow reader."""
    answers = Answers(TransferLimits(), refusals)
    clients.append(client := Client(answers))

    class Dead:
        """A socket whose peer does not acknowledge any byte."""

        def sendall(self, data: bytes) -> None:
            """Raise the kernel's error."""
            raise TimeoutError(110, "Connection timed out")

        def setsockopt(self, *_: object) -> None:
            """Raise an error, as for a closed descriptor."""
            raise OSError

    monkeypatch.setattr(client.guarded, "_sock", Dead())
    with pytest.raises(SlowReader):
        client.guarded.sendall(b"x")
    assert refused(refusals) == {"slow_reader": 1}


@pytest.mark.parametrize(
    ("offset", "count", "sent"),
    [(0, None, b"0123456789"), (2, 3, b"234"), (0, 0, b""), (8, 5, b"89")],
)
def test_files(
    clients: list[Client], refusals: RefusalCounts, offset: int, count: int | None, sent: bytes
) -> None:
    """A file is sent in pieces with the same limits."""
    clients.append(client := Client(Answers(TransferLimits(), refusals)))
    assert client.guarded.sendfile(io.BytesIO(b"0123456789"), offset, count) == len(sent)
    assert client.read(len(sent)) == sent
