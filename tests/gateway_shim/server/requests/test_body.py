"""Complete bodies, and bodies that are too large, too slow, or incomplete."""

from __future__ import annotations

import json
import socket

import gevent
import pytest
from gunicorn.http import errors

from gateway_shim.event_loop import turns
from gateway_shim.protocol.http import MAX_REQUEST_BYTES, Refusal
from gateway_shim.server.requests import body as request_body
from gateway_shim.server.requests.body import Bodies, drop_body, read_body
from gateway_shim.server.requests.unwanted_body import SMALL_BODY_BYTES
from gateway_shim.server.responses.transfers import TransferLimits, Transfers
from gateway_shim.streams.refusal_counts import RefusalCounts
from tests.gateway_shim.server.requests.body_client import CHUNKED, LENGTH, BodyClient
from tests.gateway_shim.server.requests.parsed_request import parse
from tests.support.timing import TIME_LIMIT, wait_until


def error(refusal: Refusal | None) -> tuple[int, str, str]:
    """Return status, code, and message of a refusal."""
    assert refusal is not None
    body = json.loads(refusal.body)["error"]
    return refusal.status, body["code"], body["message"]


@pytest.mark.parametrize(
    ("lines", "sent", "body"),
    [
        ([], b"", b""),
        ([LENGTH.format(0)], b"", b""),
        ([LENGTH.format(3)], b"abcGET /next", b"abc"),
        ([LENGTH.format(MAX_REQUEST_BYTES)], b"x" * MAX_REQUEST_BYTES, b"x" * MAX_REQUEST_BYTES),
        ([CHUNKED], b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc"),
    ],
    ids=["none", "empty", "length", "largest", "chunked"],
)
def test_whole_body(clients: list[BodyClient], lines: list[str], sent: bytes, body: bytes) -> None:
    """A body is read completely, and no byte after it."""
    client = BodyClient(*lines, body=sent)
    clients.append(client)
    assert client.read() is None
    assert client.request.body.read() == body


@pytest.mark.parametrize(
    ("lines", "sent"),
    [([LENGTH.format(3)], b"abc"), ([CHUNKED], b"3\r\nabc\r\n0\r\n\r\n")],
    ids=["length", "chunked"],
)
def test_nobody_runs_after_the_last_piece(
    lines: list[str], sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a body has arrived, no later request runs before this one, however busy the loop is."""
    monkeypatch.setattr(turns, "SLICE_SECONDS", 0.0)
    request = parse("Host: a", *lines, body=sent, start="POST / HTTP/1.1")
    ran: list[str] = []
    other = gevent.spawn(ran.append, "other")
    with socket.socket() as unused:
        assert read_body(request, unused, MAX_REQUEST_BYTES) is None
    assert request.body.read() == b"abc"
    assert not ran
    other.join()


@pytest.mark.parametrize(
    ("lines", "sent"),
    [
        ([LENGTH.format(MAX_REQUEST_BYTES + 1)], b""),
        ([CHUNKED], b"200000\r\n" + b"x" * (MAX_REQUEST_BYTES + 100_000)),
    ],
    ids=["announced", "chunked"],
)
def test_too_large(clients: list[BodyClient], lines: list[str], sent: bytes) -> None:
    """A body that is too large is refused: unread if its length is announced, else at the limit."""
    client = BodyClient(*lines, body=sent)
    clients.append(client)
    assert error(client.read()) == (
        413,
        "PAYLOAD_TOO_LARGE",
        f"The body is larger than {MAX_REQUEST_BYTES} bytes",
    )


@pytest.mark.parametrize("lines", [[LENGTH.format(3)], [CHUNKED]])
def test_too_slow(
    clients: list[BodyClient], lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body that does not arrive in time is refused."""
    monkeypatch.setattr(request_body, "BODY_SECONDS", 0.05)
    client = BodyClient(*lines)
    clients.append(client)
    assert error(client.read()) == (
        408,
        "REQUEST_TIMEOUT",
        "The body did not arrive within 0.05 s",
    )


def test_somebody_elses_time_limit(clients: list[BodyClient]) -> None:
    """A time limit of the caller is raised to the caller."""
    client = BodyClient(LENGTH.format(3))
    clients.append(client)
    with pytest.raises(gevent.Timeout) as caught, gevent.Timeout(0.05) as outer:
        client.read()
    assert caught.value is outer


def test_broken_off(clients: list[BodyClient]) -> None:
    """An incomplete body is refused."""
    client = BodyClient(LENGTH.format(50), body=b"{}")
    clients.append(client)
    client.sending.join(TIME_LIMIT)
    client.socket.shutdown(socket.SHUT_WR)
    assert error(client.read()) == (400, "BAD_REQUEST", "Bad request: the body is incomplete")


def test_broken_off_chunks(clients: list[BodyClient]) -> None:
    """An incomplete chunked body is refused."""
    client = BodyClient(CHUNKED, body=b"2\r\n{}\r\n")
    clients.append(client)
    client.sending.join(TIME_LIMIT)
    client.socket.shutdown(socket.SHUT_WR)
    assert error(client.read()) == (400, "BAD_REQUEST", "Bad request: the body is incomplete")


def test_continue(clients: list[BodyClient]) -> None:
    """A client that waits for 100 Continue gets it before its body is read."""
    client = BodyClient(LENGTH.format(2), "Expect: 100-continue")
    clients.append(client)
    reading = gevent.spawn(client.read)
    assert client.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.socket.sendall(b"{}")
    assert reading.get(timeout=TIME_LIMIT) is None
    assert client.request.body.read() == b"{}"


def test_no_continue_for_what_is_too_large(clients: list[BodyClient]) -> None:
    """A body that is too large gets no 100 Continue."""
    client = BodyClient(LENGTH.format(MAX_REQUEST_BYTES + 1), "Expect: 100-continue")
    clients.append(client)
    assert error(client.read())[0] == 413
    client.server.shutdown(socket.SHUT_WR)
    assert client.socket.recv(100) == b""


@pytest.mark.parametrize(
    ("lines", "sent", "dropped"),
    [
        ([LENGTH.format(SMALL_BODY_BYTES)], b"x" * SMALL_BODY_BYTES, True),
        ([LENGTH.format(SMALL_BODY_BYTES + 1)], b"", False),
        ([], b"", True),
        ([LENGTH.format(3)], b"abc", True),
        ([CHUNKED], b"1\r\na\r\n0\r\n\r\n", True),
        ([LENGTH.format(MAX_REQUEST_BYTES + 1)], b"", False),
        ([LENGTH.format(3), "Expect: 100-continue"], b"", False),
    ],
    ids=["largest", "a little too large", "none", "length", "chunked", "too large", "not sent"],
)
def test_drop_body(clients: list[BodyClient], lines: list[str], sent: bytes, dropped: bool) -> None:
    """An unwanted body is discarded if the next request can then be read."""
    client = BodyClient(*lines, body=sent + b"GET /next")
    clients.append(client)
    assert drop_body(client.request, client.server) is dropped
    if dropped:
        assert client.request.unreader.read() == b"GET /next"


def test_drop_body_that_was_read(clients: list[BodyClient]) -> None:
    """A body that the application has read is not read again."""
    client = BodyClient(LENGTH.format(3), body=b"abc")
    clients.append(client)
    assert client.read() is None
    client.request.body.read()
    assert drop_body(client.request, client.server) is True


def test_a_body_in_the_smallest_pieces(clients: list[BodyClient]) -> None:
    """A body in very small pieces is kept in one buffer, and other greenlets run meanwhile."""
    body = b"8\r\n12345678\r\n" * 12_000
    client = BodyClient(CHUNKED, body=body + b"0\r\n\r\nnext")
    clients.append(client)
    turns = []

    def run() -> None:
        while True:
            turns.append(client.request.unreader.sock)
            gevent.sleep(0)

    running = gevent.spawn(run)
    assert client.read() is None
    running.kill()
    assert client.request.body.read() == b"12345678" * 12_000
    assert client.request.unreader.read() == b"next"
    assert len(turns) > 2


def test_trailers(clients: list[BodyClient]) -> None:
    """Trailers are checked by gunicorn, and the application can read them."""
    client = BodyClient(CHUNKED, body=b"0\r\nA: b\r\n\r\n")
    clients.append(client)
    assert client.read() is None
    assert client.request.trailers == [("A", "b")]
    client = BodyClient(CHUNKED, body=b"0\r\nHost: b\r\n\r\n")
    clients.append(client)
    with pytest.raises(errors.InvalidHeaderName):
        client.read()


def test_a_body_for_which_there_is_no_room(clients: list[BodyClient]) -> None:
    """A body without room is refused with 503; a small body always has room."""
    transfers = Transfers(limit=100_000, free=SMALL_BODY_BYTES)
    bodies = [transfers.begin("busy") for _ in range(2)]
    for each in bodies:
        each.hold(100_000)  # whole, and being worked on
    client = BodyClient(LENGTH.format(50_000), body=b"x" * 50_000)
    clients.append(client)
    refusal = read_body(client.request, client.server, 100_000, transfers.begin("a"))
    assert error(refusal)[0] == 503
    assert refusal is not None
    assert refusal.headers == (("Retry-After", "1"),)
    client = BodyClient(LENGTH.format(SMALL_BODY_BYTES), body=b"x" * SMALL_BODY_BYTES)
    clients.append(client)
    assert read_body(client.request, client.server, 100_000, transfers.begin("a")) is None


def test_bodies_that_do_not_end_make_room(
    clients: list[BodyClient], refusals: RefusalCounts
) -> None:
    """A thousand incomplete bodies together hold no more than the budget."""
    bodies = Bodies(TransferLimits(max_bodies_bytes=1_000_000), refusals)
    outcomes: list[Refusal | None] = []

    def receive(client: BodyClient, owner: str) -> None:
        with bodies.of(client.request, client.server, MAX_REQUEST_BYTES, owner) as refusal:
            outcomes.append(refusal)

    size = 300_000
    slow = [BodyClient(LENGTH.format(size), body=b"x" * (size - 1)) for _ in range(10)]
    clients += slow
    receiving = [gevent.spawn(receive, client, "slow") for client in slow]
    wait_until(lambda: len(outcomes) == 7, "seven of ten to make room")
    assert bodies._transfers.held <= 1_000_000
    honest = BodyClient(LENGTH.format(size), body=b"x" * size)
    clients.append(honest)
    receive(honest, "honest")
    assert outcomes.pop() is None
    assert honest.request.body.read() == b"x" * size
    assert {error(refusal)[0] for refusal in outcomes} == {503}
    assert refusals.by_reason["bodies_limit"] == len(outcomes) == 8
    gevent.killall(receiving)
    assert bodies._transfers.held == 0
