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


def test_a_client_that_sends_on_sees_its_answer(
    clients: list[BodyClient], refusals: RefusalCounts
) -> None:
    """The remaining body is discarded, so that the client can read its answer."""
    client = BodyClient(LENGTH.format(MAX_REQUEST_BYTES), body=b"x" * (MAX_REQUEST_BYTES - 1))
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

    def __init__(self) -> None:
        self.left = 3
        self.closed = False

    def shutdown(self, how: int) -> None:
        """Accept the shutdown of the sending side."""

    def recv(self, size: int) -> bytes:
        """Return one more piece."""
        self.left -= 1
        return b"x" if self.left >= 0 else b""

    def close(self) -> None:
        """Mark the socket as closed."""
        self.closed = True


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
