"""The actions of clients and senders on streams: open, fence, wait, send in numbers."""

from __future__ import annotations

import time

from gateway_shim.parity.play.client import HOST_HEADER
from gateway_shim.parity.play.context import PlayContext
from gateway_shim.parity.play.observation import as_text
from gateway_shim.parity.play.probe import PATIENCE, request_bytes
from gateway_shim.parity.play.session import Callback
from gateway_shim.parity.reply import Fate
from gateway_shim.parity.steps import Fence, Gone, Open, Overflow, SendMany

__all__ = [
    "HEARTBEAT",
    "await_disconnect",
    "fence",
    "open_stream",
    "overflow",
    "read_to_mark",
    "send_many",
    "send_until_gone",
]

HEARTBEAT = b": heartbeat\n\n"
"""A heartbeat as it is in the body of a stream."""

_CALLBACK_TIME_LIMIT = 5.0


def open_stream(context: PlayContext, step: Open) -> None:
    """Run an :class:`Open`: request a stream, and wait as long as the step says."""
    session = context.session
    session.expect(step.reply)
    before = len(session.tokens())
    connection = context.client.connect(step.receive_buffer)
    context.streams[step.stream] = connection
    headers = (HOST_HEADER, ("Accept", "text/event-stream"), *step.headers)
    started = time.monotonic()
    connection.write(request_bytes(step.method, step.target, headers, b"", step.version))
    if step.until == "head":
        slow = step.reply.fate is Fate.HANG or step.reply.raw is not None
        connection.read_head(PATIENCE + (_CALLBACK_TIME_LIMIT if slow else 0.0))
        context.values[f"withheld:{step.stream}"] = session.withheld
        context.opened[step.stream] = (started, time.monotonic())
        context.values["seconds"] = time.monotonic() - started
    else:

        def connect_came(seen: list[Callback]) -> bool:
            return len([c for c in seen if c.action == "connect"]) > before

        context.wait(lambda seconds: session.wait_for(connect_came, seconds))
    tokens = session.tokens()
    if len(tokens) > before:
        context.tokens[step.stream] = tokens[before]


def await_disconnect(context: PlayContext, stream: str) -> None:
    """Wait until the backend has received the disconnect callback of a stream."""
    token = context.tokens.get(stream)
    if token is None:
        return  # the backend was not asked for this stream, so no disconnect callback will come

    def disconnect_came(seen: list[Callback]) -> bool:
        return any(c.action == "disconnect" and c.token == token for c in seen)

    context.wait(lambda seconds: context.session.wait_for(disconnect_came, seconds))


def fence(context: PlayContext, step: Fence) -> None:
    """Run a :class:`Fence`: read the stream up to a mark, then keep or forget what came."""
    connection = context.streams[step.stream]
    read_to_mark(context, step.stream)
    if step.keep:
        context.values[f"bytes:{step.keep}"] = as_text(connection.body)
    if step.forget or step.keep:
        connection.forget()


def send_many(context: PlayContext, step: SendMany) -> None:
    """Run a :class:`SendMany`: send numbered events and check their order."""
    for number in range(step.count):
        context.send({"token": "$T", "event": {"data": f"{number}"}}, step.stream)
    read_to_mark(context, step.stream)
    wanted = "".join(f"data: {number}\n\n" for number in range(step.count)).encode()
    # On a busy machine this takes longer than a heartbeat's interval.
    body = bytes(context.streams[step.stream].body).replace(HEARTBEAT, b"")
    context.values[f"in_order:{step.stream}"] = body.endswith(wanted)


def send_until_gone(context: PlayContext, step: Gone) -> None:
    """Run a :class:`Gone`: send until an answer is not 200."""

    def gone(seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = context.answers[step.name] = context.send({"token": "$T"}, step.stream)
            if answer.head is not None and answer.head.status != 200:
                return True
            time.sleep(0.005)
        return False

    context.wait(gone)


def overflow(context: PlayContext, step: Overflow) -> None:
    """Run an :class:`Overflow`: send to a client that does not read."""
    body = {"token": "$T", "event": {"data": "x" * step.size}}
    ended = False
    for _ in range(step.count):
        head = context.send(body, step.stream).head
        if head is None or head.status != 200:
            ended = True
            break
    context.values[f"ended:{step.stream}"] = ended


def read_to_mark(context: PlayContext, stream: str) -> bytes:
    """Send a mark to a stream, read up to the mark, and remove the mark from what was read.

    Returns:
        The body before the mark; the whole body if the stream takes no mark.
    """
    connection = context.streams[stream]
    connection.read_head()
    context.values["fences"] = number = context.values.get("fences", 0) + 1
    text = f"parity fence {number}"
    mark = f"data: {text}\n\n".encode()
    sent = context.send({"token": "$T", "event": {"data": text}}, stream)
    if sent.head is None or sent.head.status != 200:
        context.wait(connection.read_to_end)
        return bytes(connection.body)
    # A gateway may write the mark wrongly; its text can still be found then.
    context.wait(lambda s: connection.read_until(lambda body: text.encode() in body, s))
    connection.read_until(lambda body: mark in body, 0.2)
    before = bytes(connection.body).partition(text.encode())[0]
    connection.take_out(mark)
    return before
