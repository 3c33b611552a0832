"""What can happen in a scenario, as data: each kind of step is a class, and has a JSON form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from gateway_shim.parity.stub_backend import AT_ONCE, Fate, Reply

__all__ = [
    "STEPS",
    "AwaitCallback",
    "Burst",
    "Drop",
    "End",
    "Exit",
    "Fence",
    "Gone",
    "Heartbeats",
    "OnDisconnect",
    "Open",
    "Overflow",
    "Pairs",
    "Pause",
    "Post",
    "Release",
    "Request",
    "Send",
    "SendCompressed",
    "Step",
    "Terminate",
    "steps_from_json",
    "steps_to_json",
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
        packing: how the body is compressed, ``gzip``, ``deflate`` or not at all.
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
class Release:
    """Let the callbacks go that are held."""


@dataclass(frozen=True, slots=True)
class OnDisconnect:
    """What is sent while a disconnect callback is being answered, and its answer's status."""

    sends: tuple[Any, ...]
    status: int = 200


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
class Burst:
    """Send ``count`` numbered events one after the other; the value is ``in_order:STREAM``."""

    count: int
    stream: str = "s"


@dataclass(frozen=True, slots=True)
class Heartbeats:
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
class Exit:
    """Start a gateway in a bad environment; values: ``exit:NAME``, ``logged:NAME``."""

    environment: Mapping[str, str]
    name: str


Step = (
    Open | Send | SendCompressed | Post | Request | Fence | End | Drop | AwaitCallback
    | Release | OnDisconnect | Gone | Pause | Burst | Heartbeats | Overflow | Terminate | Exit
)  # fmt: skip

STEPS: dict[str, type[Any]] = {step.__name__: step for step in Step.__args__}
"""Every kind of step by its name, as a replayed case names it."""


def steps_to_json(steps: Iterable[Step]) -> str:
    """Write steps so that :func:`steps_from_json` reads them back."""
    return json.dumps([_plain(step) for step in steps], separators=(",", ":"))


def steps_from_json(text: str) -> tuple[Step, ...]:
    """Read steps.

    Raises:
        ValueError: it is no JSON, or no list of steps.
    """
    value = json.loads(text)
    if not isinstance(value, list):
        raise ValueError("a list of steps is expected")
    return tuple(_step(item) for item in value)


def _plain(step: Any) -> dict[str, Any]:
    """A dataclass without what is at its default, so that a case stays short."""
    plain: dict[str, Any] = {"do": type(step).__name__}
    for item in fields(step):
        value = getattr(step, item.name)
        if value != item.default:
            plain[item.name] = _plain(value) if is_dataclass(value) else value
    return plain


def _step(item: Any) -> Step:
    if not isinstance(item, dict) or item.get("do") not in STEPS:
        raise ValueError(f"no such step: {json.dumps(item)[:100]}")
    values = {key: value for key, value in item.items() if key != "do"}
    if "headers" in values:
        values["headers"] = tuple((str(name), str(value)) for name, value in values["headers"])
    if "reply" in values:
        reply = {key: value for key, value in values["reply"].items() if key != "do"}
        reply["sends"] = tuple(reply.get("sends", ()))
        reply["interim"] = tuple(reply.get("interim", ()))
        reply["fate"] = Fate(reply.get("fate", "answer"))
        values["reply"] = Reply(**reply)
    if "sends" in values:
        values["sends"] = tuple(values["sends"])
    try:
        step: Step = STEPS[item["do"]](**values)
    except TypeError as exc:
        raise ValueError(f"step {item['do']}: {exc}") from exc
    return step
