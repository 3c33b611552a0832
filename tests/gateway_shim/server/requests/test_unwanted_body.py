"""Bodies that the application does not need."""

from __future__ import annotations

import gevent
import pytest

from gateway_shim.protocol.http import MAX_REQUEST_BYTES
from gateway_shim.server.requests import unwanted_body
from gateway_shim.server.requests.body import Bodies
from gateway_shim.server.requests.unwanted_body import SMALL_BODY_BYTES
from gateway_shim.server.responses.transfers import TransferLimits
from gateway_shim.streams.refusal_counts import RefusalCounts
from tests.gateway_shim.server.requests.body_client import CHUNKED, LENGTH, BodyClient
from tests.support.timing import TIME_LIMIT


@pytest.mark.parametrize(
    ("lines", "closes"),
    [
        ([LENGTH.format(3)], False),
        ([CHUNKED], False),
        ([LENGTH.format(SMALL_BODY_BYTES + 1)], True),
        ([LENGTH.format(3), "Expect: 100-continue"], True),
    ],
)
def test_a_body_that_nobody_wants(
    clients: list[BodyClient], refusals: RefusalCounts, lines: list[str], closes: bool
) -> None:
    """The application does not see an unwanted body; a small one can be discarded afterwards."""
    client = BodyClient(*lines)  # the body never comes
    clients.append(client)
    request = client.request
    head = request.headers
    with Bodies(TransferLimits(), refusals).of(request, client.server, 0, "a") as refusal:
        assert refusal is None
        assert request.headers == [("HOST", "h")]
        assert request.body.read() == b""
        assert request.should_close() is closes
        client.server.sendall(b"answer")
        client.socket.close() if closes else None
    assert request.headers == head
    assert request.body.reader is not None  # the unread one


@pytest.mark.parametrize("size", [MAX_REQUEST_BYTES, 8 * MAX_REQUEST_BYTES])
def test_a_client_that_sends_on_sees_its_answer(
    clients: list[BodyClient], refusals: RefusalCounts, size: int
) -> None:
    """The remaining body is discarded, so that the client can read its answer."""
    client = BodyClient(LENGTH.format(size), body=b"x" * (size - 1))
    clients.append(client)

    def answer() -> None:
        with Bodies(TransferLimits(), refusals).of(client.request, client.server, 0, "a"):
            client.server.sendall(b"answer")

    answering = gevent.spawn(answer)
    client.sending.get(timeout=TIME_LIMIT)
    assert client.socket.recv(100) == b"answer"
    assert client.socket.recv(100) == b""
    client.socket.close()
    answering.get(timeout=TIME_LIMIT)


class Sender:
    """The socket of a client that keeps sending an unwanted body."""

    def __init__(self, pieces: int = 3, *, becomes_quiet: bool = False) -> None:
        self.left = pieces
        self.becomes_quiet = becomes_quiet
        self.limit: float | None = None
        self.closed = False

    def settimeout(self, seconds: float) -> None:
        """Note the time limit of each read."""
        self.limit = seconds

    def shutdown(self, how: int) -> None:
        """Accept the shutdown of the sending side."""

    def recv(self, size: int) -> bytes:
        """Return one more piece."""
        self.left -= 1
        if self.left < 0 and self.becomes_quiet:
            raise TimeoutError("timed out")
        return b"x" if self.left >= 0 else b""

    def close(self) -> None:
        """Mark the socket as closed."""
        self.closed = True


def test_a_slow_client_has_time_for_each_piece() -> None:
    """Bytes are discarded as long as they arrive; a client that becomes quiet is given up."""
    sender = Sender(100, becomes_quiet=True)
    unwanted_body.close_answered(sender)
    assert (sender.left, sender.closed) == (-1, True)
    assert sender.limit == unwanted_body._QUIET_SECONDS < unwanted_body._LINGER_SECONDS


def test_what_nobody_wants_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one piece of all unwanted bodies is read in each turn of the event loop."""
    waiting = [0]
    seen: list[int] = []

    def turn() -> None:
        waiting[0] += 1
        seen.append(waiting[0])
        gevent.sleep(0)
        waiting[0] -= 1

    monkeypatch.setattr(unwanted_body, "let_others_run", turn)
    senders = [Sender() for _ in range(4)]
    dropping = [gevent.spawn(unwanted_body.close_answered, sender) for sender in senders]
    gevent.joinall(dropping, raise_error=True)
    assert all(sender.closed for sender in senders)
    assert seen == [1] * 12
