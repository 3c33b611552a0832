"""A client that publishes numbered events, and knows which of them the server has published."""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from tests.support.http.client import BrokenHTTP, Connection, request_bytes
from tests.support.http.sse_parser import SSEEvent
from tests.support.resuming_client import ResumingClient, ResumingClients
from tests.support.timing import TIME_LIMIT, TimeLimitPassed

__all__ = ["Publisher", "assert_nothing_missed", "number_of", "wait_for_ids"]

_PAUSE = 0.01
_SLOW_PAUSE = 0.1
"""The pauses between two events before and after the wanted number is published, in seconds.

A fault on a busy machine takes longer. The slow pause bounds the number of events then.
"""

_RETRY_PAUSE = 0.02


def number_of(event: SSEEvent) -> int | None:
    """Return the number of an event that a publisher has published; None for all others.

    A stream also begins with a ``version`` event that has no number.
    """
    return _number_in(event.data) if event.type == "version" else None


@functools.lru_cache(maxsize=1000)
def _number_in(data: str) -> int | None:
    """Return the number in the data of a version. Hundreds of clients get the same data."""
    kind, _, number = str(json.loads(data)["version"]).partition("-")
    return int(number) if kind == "number" else None


class Publisher:
    """A context manager: a client that announces versions with the numbers 1, 2, 3, ….

    Each announcement is one request. After a request without a response, nobody but the server
    knows if the event was published, so its number is not used again.

    Args:
        port: the port of the server.
        filling: the number of additional characters in each event.

    Attributes:
        acknowledged: the numbers that the server has acknowledged with a 202.
        unanswered: the numbers of the requests that got no response.
    """

    def __init__(self, port: int, *, filling: int = 0) -> None:
        self.acknowledged: list[int] = []
        self.unanswered: list[int] = []
        self._port = port
        self._filling = "x" * filling
        self._number = 0
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        """Return the publisher."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._close()

    def publish(self, count: int) -> None:
        """Publish until the server has acknowledged ``count`` more events."""
        wanted = len(self.acknowledged) + count
        while len(self.acknowledged) < wanted:
            self._publish_one()

    @contextmanager
    def publishing(self, count: int) -> Iterator[None]:
        """Publish at least ``count`` events during the block, a fifth of them before it."""
        before = len(self.acknowledged)
        self.publish(count // 5)
        over = threading.Event()

        def run() -> None:
            while not over.is_set() or len(self.acknowledged) < before + count:
                self._publish_one()
                is_enough = len(self.acknowledged) >= before + count
                over.wait(_SLOW_PAUSE if is_enough else _PAUSE)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(TIME_LIMIT)
        assert not thread.is_alive(), f"only {len(self.acknowledged) - before} were published"

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _publish_one(self) -> None:
        connection = self._connection = self._connection or self._connect()
        self._number += 1
        body = {"request_id": "nobody", "version": f"number-{self._number}"}
        data = request_bytes(
            "POST",
            "/api/testing/deployments/version",
            [("Content-Type", "application/json")],
            body=json.dumps(body | {"changelog": self._filling}).encode(),
        )
        try:
            connection.send(data)
            answer = connection.read_response("POST")
        except (OSError, BrokenHTTP):
            self.unanswered.append(self._number)
            self._close()
            return
        if answer.status == 202:
            self.acknowledged.append(self._number)
        else:  # a worker that is ending publishes no version, and says so
            assert answer.status in (409, 503), answer
            self._close()
            time.sleep(_RETRY_PAUSE)
        if (answer.head.get("Connection") or "").lower() == "close":
            self._close()

    def _connect(self) -> Connection:
        deadline = time.monotonic() + TIME_LIMIT
        while True:
            try:
                return Connection(self._port)
            except OSError as exc:  # the server is being restarted
                if time.monotonic() > deadline:
                    raise TimeLimitPassed("no server listens") from exc
                time.sleep(_RETRY_PAUSE)


def assert_nothing_missed(clients: ResumingClients, publisher: Publisher) -> int:
    """Check that all clients have the same events: each acknowledged one once, in order.

    An event whose request got no response is either at all clients or at none.

    Returns:
        The number of events that each client has.
    """
    last = publisher.acknowledged[-1]
    clients.wait_for(lambda client: client.numbers[-1:] == [last], f"event {last}")
    acknowledged, unanswered = set(publisher.acknowledged), set(publisher.unanswered)
    seen = {number for client in clients.clients for number in client.numbers}
    assert seen <= acknowledged | unanswered
    expected = sorted(acknowledged | seen)
    found = [each for client in clients.clients for each in _differences(client, expected)]
    assert not found, found[:10]
    return len(expected)


def _differences(client: ResumingClient, expected: Sequence[int]) -> list[str]:
    found = [] if client.failure is None else [client.failure]
    found += [f"resync: {reason}" for reason in client.resyncs]
    missing = set(expected) - set(client.numbers)
    if missing:
        found.append(f"{client.opened} streams, without {sorted(missing)}")
    elif client.numbers != expected:
        found += [f"{client.opened} streams; {problem}" for problem in client.problems]
    return found


def wait_for_ids(clients: ResumingClients) -> None:
    """Wait until each client has an id. Before that a client cannot say where it was."""
    clients.wait_for(lambda client: bool(client.last_event_id), "every client's first id")
