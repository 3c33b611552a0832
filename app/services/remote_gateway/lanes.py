"""The queue of sends to a gateway behind HTTP: one lane for each stream.

A lane keeps the order of its stream. A bounded number of senders, which are greenlets, serve all
lanes. A lane is in the queue of ready lanes, or with a sender, for as long as it exists, so two
senders never serve the same stream.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import gevent
from gevent.queue import Queue

from app.schemas.sse_gateway_schema import SSEGatewaySendRequest
from app.services.gateway_transport import TransportError
from app.services.remote_gateway.post import NoAnswer
from app.services.remote_gateway.sends import (
    Delivery,
    Payload,
    PendingSend,
    Report,
    SendResult,
)
from gateway_shim.event_loop.loop_thread import LoopThread
from gateway_shim.event_loop.turns import let_others_run

__all__ = ["SendLanes"]

MAX_QUEUED = 100_000
"""The number of sends that may wait for a slow gateway, all streams together. More are refused."""

MAX_QUEUED_CHARACTERS = 64 * 1024 * 1024
"""The event data that may wait with these sends. The data of a broadcast counts once."""


class SendLanes:
    """Posts sends side by side, and in order for each stream.

    No greenlet starts before the first send, because the worker is forked after this is made.

    Args:
        post: posts one send and returns the answer's status; raises TransportError.
        time_limit: the age, in seconds, at which a send is given up if the gateway has answered
            nothing during all that time.
        concurrency: the number of senders.
        clock: monotonic seconds.
        loop_thread: knows the event loop's thread; without an event loop nothing can be sent.
    """

    def __init__(
        self,
        post: Callable[[SSEGatewaySendRequest], int],
        *,
        time_limit: float,
        concurrency: int,
        clock: Callable[[], float] = time.monotonic,
        loop_thread: LoopThread,
    ) -> None:
        self._post = post
        self._time_limit = time_limit
        self._concurrency = concurrency
        self._clock = clock
        self._loop_thread = loop_thread
        self._lanes: dict[str, deque[PendingSend]] = {}  # by token
        self._queued = 0  # sends in all lanes
        self._queued_characters = 0  # the data of these sends
        self._ready: Queue[str] = Queue()  # the tokens of lanes that wait for a sender
        self._senders: list[gevent.Greenlet[[], None]] = []
        self._last_answer = clock()
        self._is_silent = False

    # ---------------------------------------------------------------- public

    @property
    def is_silent(self) -> bool:
        """True if the gateway gave no answer for a time limit, and has not answered since.

        See :meth:`note_timeout`.
        """
        return self._is_silent

    def note_timeout(self, started: float) -> None:
        """Take note that a caller has waited for a whole time limit without a result.

        Args:
            started: the time at which the caller began to wait, monotonic seconds. If the gateway
                has answered nothing since then, it counts as silent.
        """
        self._is_silent = self._last_answer < started

    def put(self, token: str, payload: Payload, report: Report) -> None:
        """Queue a send. Returns at once.

        Args:
            token: the token of the stream.
            payload: the content of the send.
            report: gets the result; at once if the send is refused.
        """
        if not self._loop_thread.here:
            report(token, TransportError("no event loop serves this thread"))
            return
        if not self._senders:
            self._senders = [gevent.spawn(self._serve_lanes) for _ in range(self._concurrency)]
        more = 0 if payload.waiting_sends else payload.size
        if self._queued >= MAX_QUEUED or self._queued_characters + more > MAX_QUEUED_CHARACTERS:
            report(token, TransportError("too many sends already wait for the gateway"))
            return
        payload.waiting_sends += 1
        self._queued += 1
        self._queued_characters += more
        send = PendingSend(token, payload, report, self._clock())
        lane = self._lanes.get(token)
        if lane is None:
            self._lanes[token] = deque([send])
            self._ready.put(token)
        else:
            lane.append(send)

    # ---------------------------------------------------------------- private: the senders

    def _serve_lanes(self) -> None:
        while True:
            token = self._ready.get()
            lane = self._lanes[token]
            result = self._post_or_give_up(lane[0])
            self._finish(lane.popleft(), result)
            if isinstance(result, NoAnswer):
                # The sends behind this send would get no answer either. If each of them waited for
                # a whole time limit, the lane of one stream would grow and occupy a sender
                # forever.
                while lane and self._age(lane[0]) >= self._time_limit:
                    self._finish(lane.popleft(), result)
            if lane:
                self._ready.put(token)
            else:
                del self._lanes[token]

    def _post_or_give_up(self, send: PendingSend) -> SendResult:
        if self._has_expired(send):
            let_others_run()  # thousands of sends may be given up in a row
            return TransportError("the gateway does not answer")
        try:
            status = self._post(send.request())
        except TransportError as exc:
            return exc
        self._last_answer = self._clock()
        self._is_silent = False
        if status == 404:
            return Delivery.UNKNOWN_TOKEN
        if status == 200:
            return Delivery.TAKEN
        return TransportError(f"the gateway answered {status}")

    def _finish(self, send: PendingSend, result: SendResult) -> None:
        self._queued -= 1
        send.payload.waiting_sends -= 1
        if not send.payload.waiting_sends:
            self._queued_characters -= send.payload.size
        send.report(send.token, result)

    def _has_expired(self, send: PendingSend) -> bool:
        """Return whether nothing at all was answered for a time limit while the send waited."""
        return min(self._age(send), self._clock() - self._last_answer) > self._time_limit

    def _age(self, send: PendingSend) -> float:
        return self._clock() - send.since
