"""A gateway behind HTTP: one POST per stream, side by side, each stream's own order kept.

Every stream has a lane, a queue of its own; a bounded number of senders serve the lanes. A
caller waits for its own sends for at most one time limit. What a slow but working gateway has
not taken by then is still sent, in order; what waits for a gateway that answers nothing at all
is given up after the same time, so that it does not pile up. Once it has been silent for a whole
time limit nobody waits for it that long again until it has answered: a task that sends a hundred
events is held up once, not a hundred times.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gevent
from gevent.event import Event as Signal
from gevent.queue import Queue

from app.schemas.sse_gateway_schema import SSEGatewayEvent, SSEGatewaySendRequest
from app.services.gateway_transport import BroadcastResult, TransportError
from app.services.remote_gateway.post import GatewayPost, NoAnswer
from gateway_shim.event_loop.loop_thread import LoopThread, from_any_thread
from gateway_shim.event_loop.turns import let_others_run
from gateway_shim.protocol.event_stream import Event

__all__ = ["HttpTransport"]

logger = logging.getLogger(__name__)

_MAX_QUEUED = 100_000
"""Sends that may wait for a slow gateway, over all streams; more are refused."""

_MAX_QUEUED_CHARACTERS = 64 * 1024 * 1024
"""Event data that may wait with them; that of a broadcast counts once."""

_GRACE_SECONDS = 0.1
"""How long a gateway that was silent may take to show that it is back."""

_Outcome = bool | TransportError
"""True: taken; False: the gateway does not know the token; or why it was not delivered."""


class HttpTransport:
    """Any gateway that speaks the contract: a GatewayTransport. Any thread may call it.

    Args:
        base_url: the gateway's; ``/internal/send`` is appended.
        time_limit: seconds, for one POST and for a caller's wait.
        concurrency: POSTs side by side.
        secret: sent as ``X-SSE-Secret``, for gateways that ask for one.
        clock: monotonic seconds.
        loop_thread: carries out the calls of other threads.
    """

    def __init__(
        self,
        base_url: str,
        *,
        time_limit: float = 5.0,
        concurrency: int = 16,
        secret: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        loop_thread: LoopThread | None = None,
    ) -> None:
        self.loop_thread = loop_thread or LoopThread()
        self._post = GatewayPost(
            base_url, time_limit=time_limit, connections=concurrency, secret=secret
        )
        self._time_limit = time_limit
        self._concurrency = concurrency
        self._clock = clock
        self._lanes: dict[str, deque[_Send]] = {}
        self._queued = 0
        self._queued_characters = 0
        self._ready: Queue[str] = Queue()
        self._senders: list[gevent.Greenlet[[], None]] = []
        self._last_answer = clock()
        self._silent = False

    @from_any_thread
    def send(self, token: str, event: Event) -> bool:
        """Send to one stream, and wait for the gateway's answer (:class:`GatewayTransport`)."""
        answers = _Answers(1)
        self._enqueue(token, _cargo(event), answers.put)
        self._wait_for(answers)
        if answers.failure is not None:
            raise TransportError(str(answers.failure)) from answers.failure
        return answers.delivered == 1

    @from_any_thread
    def close(self, token: str) -> None:
        """End a stream, after what was sent to it before (:class:`GatewayTransport`).

        Waits for nothing: who closes is a connect callback, and a gateway gives that 5 s.
        """
        self._enqueue(token, _Cargo(None, close=True), _log_failed_close)

    @from_any_thread
    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Send to many streams, and wait for the answers: at most one time limit for all."""
        answers = _Answers(len(tokens))
        cargo = _cargo(event)
        for token in tokens:  # nothing here yields: all streams see broadcasts in one order
            self._enqueue(token, cargo, answers.put)
        self._wait_for(answers)
        failed = len(tokens) - answers.delivered - len(answers.unknown)
        if failed:
            logger.warning(
                "the gateway has not taken a broadcast for every stream: %s",
                answers.failure,
                extra={"event_name": event.name, "streams": len(tokens), "missing": failed},
            )
        return BroadcastResult(answers.delivered, tuple(answers.unknown))

    @from_any_thread
    def drain(self, tokens: Sequence[str], farewell: Event, seconds: float) -> None:
        """End all streams with a last event (:class:`GatewayTransport`).

        Without a ``retry:``, for which the contract's send has no field.
        """
        answers = _Answers(len(tokens))
        cargo = _cargo(farewell, close=True)
        for token in tokens:
            self._enqueue(token, cargo, answers.put)
        self._wait_for(answers, seconds)
        if missing := len(tokens) - answers.delivered - len(answers.unknown):
            logger.warning(
                "the gateway has not ended every stream: %s",
                answers.failure,
                extra={"streams": len(tokens), "missing": missing},
            )

    def _wait_for(self, answers: _Answers, at_most: float = math.inf) -> None:
        started = self._clock()
        limit = seconds = min(self._time_limit, at_most)
        if self._silent:
            grace = min(_GRACE_SECONDS, seconds)
            if answers.wait(grace):
                return
            if self._silent:
                answers.failure = TransportError("the gateway does not answer")
                return
            seconds -= grace
        if not answers.wait(seconds):
            self._silent = self._last_answer < started
            answers.failure = TransportError(f"no answer within {limit:g} s")

    # ------------------------------------------------------------------ lanes

    def _enqueue(self, token: str, cargo: _Cargo, settle: Callable[[str, _Outcome], None]) -> None:
        if not self.loop_thread.here:
            settle(token, TransportError("no event loop serves this thread"))
            return
        if not self._senders:
            self._senders = [gevent.spawn(self._serve_lanes) for _ in range(self._concurrency)]
        more = 0 if cargo.sends else cargo.size
        if self._queued >= _MAX_QUEUED or self._queued_characters + more > _MAX_QUEUED_CHARACTERS:
            settle(token, TransportError("too much waits for the gateway already"))
            return
        cargo.sends += 1
        self._queued += 1
        self._queued_characters += more
        send = _Send(token, cargo, settle, self._clock())
        lane = self._lanes.get(token)
        if lane is None:
            # A lane is in the ready queue, or with a sender, for as long as it exists: so no
            # two senders ever serve the same stream.
            self._lanes[token] = deque([send])
            self._ready.put(token)
        else:
            lane.append(send)

    def _serve_lanes(self) -> None:
        while True:
            token = self._ready.get()
            lane = self._lanes[token]
            outcome = self._outcome_of(lane[0])
            self._settle(lane.popleft(), outcome)
            if isinstance(outcome, NoAnswer):
                # Nor would what has waited behind it be answered: another time limit for each
                # would have one stream's lane grow, and hold a sender, for ever.
                while lane and self._age(lane[0]) >= self._time_limit:
                    self._settle(lane.popleft(), outcome)
            if lane:
                self._ready.put(token)
            else:
                del self._lanes[token]

    def _outcome_of(self, send: _Send) -> _Outcome:
        if self._is_stuck(send):
            let_others_run()  # thousands may be given up in a row: let others run in between
            return TransportError("the gateway does not answer")
        try:
            status = self._post(send.request())
        except TransportError as exc:
            return exc
        self._last_answer = self._clock()
        self._silent = False
        if status == 404:
            return False
        return status == 200 or TransportError(f"the gateway answered {status}")

    def _settle(self, send: _Send, outcome: _Outcome) -> None:
        self._queued -= 1
        send.cargo.sends -= 1
        if not send.cargo.sends:
            self._queued_characters -= send.cargo.size
        send.settle(send.token, outcome)

    def _is_stuck(self, send: _Send) -> bool:
        """Whether a send has waited a whole time limit in which nothing was answered at all."""
        return min(self._age(send), self._clock() - self._last_answer) > self._time_limit

    def _age(self, send: _Send) -> float:
        return self._clock() - send.since


class _Cargo:
    """What one or many sends carry: an event, if any, and then a close, if they end the stream.

    ``sends`` says how many of them wait.
    """

    __slots__ = ("close", "event", "sends", "size")

    def __init__(self, event: SSEGatewayEvent | None, *, close: bool) -> None:
        self.event = event
        self.close = close
        self.size = 0 if event is None else len(event.data)
        self.sends = 0


@dataclass(slots=True, eq=False)
class _Send:
    """One POST to come.

    Args:
        token: which stream's.
        cargo: what it carries.
        settle: told once what became of it; must neither block nor raise.
        since: when it was put into its lane, monotonic seconds.
    """

    token: str
    cargo: _Cargo
    settle: Callable[[str, _Outcome], None]
    since: float

    def request(self) -> SSEGatewaySendRequest:
        """What is posted; made when it is, so that a waiting broadcast holds its data once."""
        # Nothing to validate: what is wrong with it is for the gateway to say.
        fields: dict[str, Any] = {"token": self.token}
        if self.cargo.event is not None:
            fields["event"] = self.cargo.event
        if self.cargo.close:
            fields["close"] = True
        return SSEGatewaySendRequest.model_construct(**fields)


class _Answers:
    """What became of the sends that one caller waits for."""

    def __init__(self, missing: int) -> None:
        self.delivered = 0
        self.unknown: list[str] = []
        self.failure: TransportError | None = None
        self._missing = missing
        self._all = Signal()

    def put(self, token: str, outcome: _Outcome) -> None:
        """Take one send's outcome."""
        if outcome is True:
            self.delivered += 1
        elif outcome is False:
            self.unknown.append(token)
        else:
            self.failure = outcome
        self._missing -= 1
        if not self._missing:
            self._all.set()

    def wait(self, seconds: float) -> bool:
        """Wait for all of them, but no longer than this; whether they have come."""
        return not self._missing or self._all.wait(seconds)


def _cargo(event: Event, *, close: bool = False) -> _Cargo:
    sent = SSEGatewayEvent.model_construct(name=event.name or "", data=event.data)
    return _Cargo(sent, close=close)


def _log_failed_close(token: str, outcome: _Outcome) -> None:
    if isinstance(outcome, TransportError):
        logger.warning("a stream could not be closed: %s", outcome, extra={"token": token})
