"""What can happen in a scenario, as data: each kind of step is a class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway_shim.parity.process_steps import Interrupt, ListensOn
from gateway_shim.parity.raw_steps import Raw, Rest
from gateway_shim.parity.reply import AT_ONCE, Reply

__all__ = [
    "STEPS",
    "AwaitCallback",
    "AwaitCalls",
    "AwaitExit",
    "AwaitHeartbeats",
    "Drop",
    "End",
    "Fence",
    "Gone",
    "Interrupt",
    "LeaveTogether",
    "ListensOn",
    "OnDisconnect",
    "Open",
    "Overflow",
    "Pairs",
    "Pause",
    "Post",
    "Raw",
    "Release",
    "Request",
    "Rest",
    "Send",
    "SendCompressed",
    "SendMany",
    "Step",
    "Terminate",
    "TryStart",
]

Pairs = tuple[tuple[str, str], ...]
"""Headers: names and values in order."""

STREAM_TARGET = "/api/sse/stream?request_id=r1"


@dataclass(frozen=True, slots=True)
class Open:
    """A client asks for a stream.

    Args:
        stream: what the scenario calls the stream.
        target: the raw request target.
        headers: more headers than ``Host`` and ``Accept``.
        method: the request method.
        version: the HTTP version.
        reply: how the backend answers the connect callback.
        until: ``head``: wait for the answer's head; ``callback``: for the connect callback.
        receive_buffer: size of the client's kernel buffer, bytes.
    """

    stream: str = "s"
    target: str = STREAM_TARGET
    headers: Pairs = ()
    method: str = "GET"
    version: str = "1.1"
    reply: Reply = AT_ONCE
    until: str = "head"
    receive_buffer: int | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """``POST /internal/send`` of a JSON body; ``$T`` is the stream's token."""

    body: Any
    name: str = "answer"
    stream: str = "s"


@dataclass(frozen=True, slots=True)
class SendCompressed:
    """A :class:`Send` with a Content-Encoding.

    Args:
        body: the JSON body; ``$T`` is the stream's token.
        coding: the Content-Encoding.
        packing: how the body is compressed; see ``PACKINGS`` in
        :mod:`gateway_shim.parity.play.client`.
        name: what the scenario calls the answer.
        stream: which stream.
    """

    body: Any
    coding: str
    packing: str = ""
    name: str = "answer"
    stream: str = "s"


@dataclass(frozen=True, slots=True)
class Post:
    """``POST /internal/send`` of any bytes, given as latin-1, with any Content-Type or none."""

    raw: str
    content_type: str | None = "application/json"
    name: str = "answer"


@dataclass(frozen=True, slots=True)
class Request:
    """Any other request, answered whole."""

    method: str
    target: str
    headers: Pairs = ()
    body: str = ""
    name: str = "answer"


@dataclass(frozen=True, slots=True)
class Fence:
    """Send a mark to a stream and read up to it: whatever came before it is there then.

    Args:
        stream: which stream; the mark itself is taken out of what was seen.
        forget: whether what came before it is taken out too.
        keep: if not empty, what came before it is the value ``bytes:KEEP``, and is taken out.
    """

    stream: str = "s"
    forget: bool = False
    keep: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """Wait until a stream has ended."""

    stream: str = "s"


@dataclass(frozen=True, slots=True)
class Drop:
    """The client goes away, politely or by a reset."""

    stream: str = "s"
    reset: bool = False


@dataclass(frozen=True, slots=True)
class AwaitCallback:
    """Wait until the backend has been told that a stream is gone."""

    stream: str = "s"


@dataclass(frozen=True, slots=True)
class AwaitCalls:
    """Wait until the backend has been called that often, by callbacks and by what redirects do."""

    count: int


@dataclass(frozen=True, slots=True)
class Release:
    """Let the callbacks go that are held."""


@dataclass(frozen=True, slots=True)
class OnDisconnect:
    """How disconnect callbacks are answered from now on.

    Args:
        sends: what is sent while such a callback is being answered.
        status: the answer's status.
        reply: the whole answer, instead of the two.
    """

    sends: tuple[Any, ...] = ()
    status: int = 200
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """Send until the answer is no longer 200: the token is gone then."""

    name: str = "gone"
    stream: str = "s"


@dataclass(frozen=True, slots=True)
class Pause:
    """Let time go by: for what must not happen in it, or to put two clocks out of step."""

    seconds: float


@dataclass(frozen=True, slots=True)
class SendMany:
    """Send ``count`` numbered events one after the other; the value is ``in_order:STREAM``."""

    count: int
    stream: str = "s"


@dataclass(frozen=True, slots=True)
class AwaitHeartbeats:
    """Wait for that many heartbeats; values: ``first_after:STREAM`` and ``apart:STREAM``."""

    count: int
    stream: str = "s"


@dataclass(frozen=True, slots=True)
class Overflow:
    """Send to a client that does not read; the value is ``ended:STREAM``.

    Args:
        size: bytes of each event's data.
        count: at most that many events.
        stream: whose client it is.
    """

    size: int
    count: int
    stream: str = "s"


@dataclass(frozen=True, slots=True)
class Terminate:
    """SIGTERM; the values are ``exit_code`` and ``seconds`` (to the next 5)."""


@dataclass(frozen=True, slots=True)
class LeaveTogether:
    """Clients that open a stream each and then all leave at once; the value is ``held``.

    Args:
        count: how many they are. The backend holds what it is told of their end, and ``held`` is
            how many disconnect callbacks wait for their answer at the same time.
    """

    count: int


@dataclass(frozen=True, slots=True)
class TryStart:
    """Start a gateway in an environment in which it may not run, and stop it again.

    Args:
        environment: what is different from the player's own gateway.
        name: the values are ``exit:NAME``, None if it runs, and ``answers:NAME``, the statuses
            of a stream and of ``/readyz`` if it does.
    """

    environment: Mapping[str, str]
    name: str = "attempt"


@dataclass(frozen=True, slots=True)
class AwaitExit:
    """Start a gateway in a bad environment; values: ``exit:NAME``, ``logged:NAME``."""

    environment: Mapping[str, str]
    name: str


Step = (
    Open | Send | SendCompressed | SendMany | Post | Request | Raw | Rest | Fence | End | Drop
    | Gone | Overflow | AwaitHeartbeats | LeaveTogether | OnDisconnect | Release | AwaitCallback
    | AwaitCalls | Pause | Interrupt | Terminate | TryStart | AwaitExit | ListensOn
)  # fmt: skip

STEPS: dict[str, type[Any]] = {step.__name__: step for step in Step.__args__}
"""Every kind of step by its name, as a replayed case names it."""
