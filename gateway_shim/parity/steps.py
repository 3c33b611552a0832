"""The steps of a scenario, as data: each kind of step is a class.

The actions for these steps are in :mod:`gateway_shim.parity.play.actions`.
"""

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
    """Request a stream as a client.

    Args:
        stream: the name of the stream in the scenario.
        target: the raw request target.
        headers: headers besides ``Host`` and ``Accept``.
        method: the request method.
        version: the HTTP version.
        reply: the backend's answer to the connect callback.
        until: ``head``: wait for the answer's head; ``callback``: wait for the connect callback.
        receive_buffer: the size of the client's kernel buffer, bytes.
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
    """Send ``POST /internal/send`` with a JSON body; ``$T`` is the stream's token."""

    body: Any
    name: str = "answer"
    stream: str = "s"


@dataclass(frozen=True, slots=True)
class SendCompressed:
    """Send a :class:`Send` with a Content-Encoding.

    Args:
        body: the JSON body; ``$T`` is the stream's token.
        coding: the Content-Encoding.
        packing: how the body is compressed; see ``PACKINGS`` in
            :mod:`gateway_shim.parity.play.client`.
        name: the name of the answer in the scenario.
        stream: the stream.
    """

    body: Any
    coding: str
    packing: str = ""
    name: str = "answer"
    stream: str = "s"


@dataclass(frozen=True, slots=True)
class Post:
    """Send ``POST /internal/send`` with any bytes, given as latin-1, and any or no Content-Type."""

    raw: str
    content_type: str | None = "application/json"
    name: str = "answer"


@dataclass(frozen=True, slots=True)
class Request:
    """Send any other request and read its whole answer."""

    method: str
    target: str
    headers: Pairs = ()
    body: str = ""
    name: str = "answer"


@dataclass(frozen=True, slots=True)
class Fence:
    """Send a mark to a stream and read up to the mark, so that everything before it has been read.

    Args:
        stream: the stream; the mark itself is removed from what was seen.
        forget: whether what came before the mark is removed, too.
        keep: if not empty, what came before the mark becomes the value ``bytes:KEEP`` and is
            removed.
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
    """Close the client's connection, in an orderly way or by a reset."""

    stream: str = "s"
    reset: bool = False


@dataclass(frozen=True, slots=True)
class AwaitCallback:
    """Wait until the backend has received the disconnect callback of a stream."""

    stream: str = "s"


@dataclass(frozen=True, slots=True)
class AwaitCalls:
    """Wait until the backend has received that many requests, those after redirects included."""

    count: int


@dataclass(frozen=True, slots=True)
class Release:
    """Let the held callbacks continue."""


@dataclass(frozen=True, slots=True)
class OnDisconnect:
    """Set the answer to all disconnect callbacks from now on.

    Args:
        sends: the bodies of sends made while such a callback is being answered.
        status: the status of the answer.
        reply: the whole answer, instead of the other two.
    """

    sends: tuple[Any, ...] = ()
    status: int = 200
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """Send to a stream until the answer is no longer 200, which means that the token is gone."""

    name: str = "gone"
    stream: str = "s"


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait, so that something unwanted could happen, or so that two clocks get out of step."""

    seconds: float


@dataclass(frozen=True, slots=True)
class SendMany:
    """Send ``count`` numbered events one after the other; the value is ``in_order:STREAM``."""

    count: int
    stream: str = "s"


@dataclass(frozen=True, slots=True)
class AwaitHeartbeats:
    """Wait for ``count`` heartbeats; the values are ``first_after:STREAM`` and ``apart:STREAM``."""

    count: int
    stream: str = "s"


@dataclass(frozen=True, slots=True)
class Overflow:
    """Send to a client that does not read; the value is ``ended:STREAM``.

    Args:
        size: the bytes of each event's data.
        count: the largest number of events.
        stream: the stream of the client.
    """

    size: int
    count: int
    stream: str = "s"


@dataclass(frozen=True, slots=True)
class Terminate:
    """Send SIGTERM to the gateway; the values are ``exit_code`` and ``seconds`` (in whole tens)."""


@dataclass(frozen=True, slots=True)
class LeaveTogether:
    """Open ``count`` streams and close them all at the same time; the value is ``held``.

    Args:
        count: the number of streams. The backend holds their disconnect callbacks, and ``held`` is
            the largest number of callbacks that waited for an answer at the same time.
    """

    count: int


@dataclass(frozen=True, slots=True)
class TryStart:
    """Start a gateway in an environment in which it may refuse to run, and stop it.

    Args:
        environment: the variables that differ from those of the scenario's own gateway.
        name: the values are ``exit:NAME``, which is None if the gateway runs, and ``answers:NAME``,
            the statuses of a stream and of ``/readyz`` if it runs.
    """

    environment: Mapping[str, str]
    name: str = "attempt"


@dataclass(frozen=True, slots=True)
class AwaitExit:
    """Start a gateway in a bad environment; the values are ``exit:NAME`` and ``logged:NAME``."""

    environment: Mapping[str, str]
    name: str


Step = (
    Open | Send | SendCompressed | SendMany | Post | Request | Raw | Rest | Fence | End | Drop
    | Gone | Overflow | AwaitHeartbeats | LeaveTogether | OnDisconnect | Release | AwaitCallback
    | AwaitCalls | Pause | Interrupt | Terminate | TryStart | AwaitExit | ListensOn
)  # fmt: skip

STEPS: dict[str, type[Any]] = {step.__name__: step for step in Step.__args__}
"""Every kind of step by its name, as a replayed case names it."""
